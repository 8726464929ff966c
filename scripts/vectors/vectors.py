"""Prints password hashes as other systems make them, as JSON: [{"name", "password", "hash"}]."""

import base64
import hashlib
import json
import os

import argon2
import django
from argon2.low_level import Type, hash_secret, hash_secret_raw
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.conf import settings
from passlib import hash as passlib
from werkzeug.security import generate_password_hash

settings.configure()
django.setup()
from django.contrib.auth import hashers as django_hashers  # noqa: E402: needs the settings

# With other scripts, of many bytes, and longer than what bcrypt takes.
PASSWORDS = ["correct horse battery staple", "pässwörd-пароль-密码-🔑", "x" * 71, "y" * 100]

vectors = []


def add(name, password, text):
    vectors.append({"name": name, "password": password, "hash": text})


def b64(octets):
    return base64.b64encode(octets).decode()


def with_passlib(password):
    # bcrypt cuts after 72 bytes, as most systems that used it do.
    add("passlib bcrypt 2a", password, passlib.bcrypt.using(rounds=4, ident="2a").hash(password))
    add("passlib bcrypt 2b", password, passlib.bcrypt.using(rounds=4, ident="2b").hash(password))
    add("passlib bcrypt 2y", password, passlib.bcrypt.using(rounds=5, ident="2y").hash(password))
    sha256 = passlib.bcrypt_sha256
    add("passlib bcrypt_sha256 v1 2a", password, sha256.using(rounds=4, version=1, ident="2a").hash(password))
    add("passlib bcrypt_sha256 v1 2b", password, sha256.using(rounds=5, version=1, ident="2b").hash(password))
    add("passlib bcrypt_sha256 v2", password, sha256.using(rounds=4, version=2).hash(password))
    add("passlib pbkdf2_sha1", password, passlib.pbkdf2_sha1.using(rounds=1001).hash(password))
    add("passlib pbkdf2_sha256", password, passlib.pbkdf2_sha256.using(rounds=1002).hash(password))
    add("passlib pbkdf2_sha512", password, passlib.pbkdf2_sha512.using(rounds=1003, salt_size=33).hash(password))
    add("passlib scrypt", password, passlib.scrypt.using(rounds=4, block_size=8, parallelism=2).hash(password))
    add("passlib argon2", password, passlib.argon2.using(time_cost=2, memory_cost=64, parallelism=2).hash(password))
    add("passlib ldap_salted_sha1", password, passlib.ldap_salted_sha1.hash(password))
    add("passlib ldap_salted_sha1, salt of 16", password, passlib.ldap_salted_sha1.using(salt_size=16).hash(password))
    add("passlib ldap_salted_sha256", password, passlib.ldap_salted_sha256.hash(password))
    add("passlib ldap_salted_sha512", password, passlib.ldap_salted_sha512.hash(password))


def with_django(password):
    """Django's own hashers, cheaper than it would have them."""

    def made(hasher, **cost):
        hasher = type(hasher.__name__, (hasher,), cost)()
        return hasher.encode(password, hasher.salt())

    for hasher, cost in [
        (django_hashers.PBKDF2PasswordHasher, {"iterations": 1001}),
        (django_hashers.PBKDF2SHA1PasswordHasher, {"iterations": 1002}),
        (django_hashers.ScryptPasswordHasher, {"work_factor": 16, "parallelism": 5}),
        (django_hashers.Argon2PasswordHasher, {"time_cost": 2, "memory_cost": 64, "parallelism": 8}),
        (django_hashers.BCryptSHA256PasswordHasher, {"rounds": 4}),
        (django_hashers.BCryptPasswordHasher, {"rounds": 5}),
    ]:
        add(f"django {hasher.algorithm}", password, made(hasher, **cost))


def with_werkzeug(password):
    for method in ["pbkdf2:sha1:1001", "pbkdf2:sha256:1002", "pbkdf2:sha512:1003", "scrypt:512:8:1", "scrypt:1024:4:3"]:
        add(f"werkzeug {method}", password, generate_password_hash(password, method))
    add("werkzeug as it comes", password, generate_password_hash(password))


def with_argon2(password):
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, hash_len=16)
    add("argon2-cffi id", password, hasher.hash(password))
    hasher = argon2.PasswordHasher(time_cost=3, memory_cost=100, parallelism=3, hash_len=64, type=Type.I)
    add("argon2-cffi i", password, hasher.hash(password))
    old = hash_secret(password.encode(), os.urandom(16), 2, 64, 1, 32, Type.I, version=0x10)
    add("argon2-cffi i, version 16", password, old.decode())


def with_firebase(password):
    """By the algorithm that Firebase documents: scrypt makes the AES-256 key under which the signer key is encrypted."""
    signer, salt, separator = os.urandom(64), os.urandom(10), b"\x07"
    rounds, mem_cost = 8, 10
    key = hashlib.scrypt(password.encode(), salt=salt + separator, n=2**mem_cost, r=rounds, p=1, dklen=64)[:32]
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    made = b64(encryptor.update(signer) + encryptor.finalize())
    parameters = f"v=1,n={mem_cost},r={rounds},p=1,ss={b64(separator)},sk={b64(signer)}"
    add("firebase, by its documented algorithm", password, f"$fbscrypt${parameters}${b64(salt)}${made}")


def with_keycloak(password):
    """By Keycloak's documented credentials: JSON in JSON."""

    def credential(algorithm, iterations, additional, salt, value):
        data = {"hashIterations": iterations, "algorithm": algorithm, "additionalParameters": additional}
        secret = {"value": b64(value), "salt": b64(salt), "additionalParameters": {}}
        add(
            f"keycloak {algorithm}, {len(value)} bytes",
            password,
            json.dumps({"credentialData": json.dumps(data), "secretData": json.dumps(secret)}),
        )

    for algorithm, digest, length in [
        ("pbkdf2", "sha1", 64),
        ("pbkdf2-sha256", "sha256", 64),
        ("pbkdf2-sha256", "sha256", 32),
        ("pbkdf2-sha512", "sha512", 64),
    ]:
        salt = os.urandom(16)
        value = hashlib.pbkdf2_hmac(digest, password.encode(), salt, 1001, length)
        credential(algorithm, 1001, {}, salt, value)
    salt = os.urandom(16)
    value = hash_secret_raw(password.encode(), salt, 5, 64, 1, 32, Type.ID)
    parameters = {"hashLength": 32, "memory": 64, "type": "id", "version": "1.3", "parallelism": 1}
    credential("argon2", 5, {name: [str(value)] for name, value in parameters.items()}, salt, value)


# Firebase's own, from the README of its scrypt utility.
signer = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
made = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
parameters = f"v=1,n=14,r=8,p=1,ss=Bw==,sk={signer}"
add("firebase's published vector", "user1password", f"$fbscrypt${parameters}$42xEC+ixf3L2lw==${made}")

for password in PASSWORDS:
    for make in [with_passlib, with_django, with_werkzeug, with_argon2, with_firebase, with_keycloak]:
        make(password)
print(json.dumps(vectors, indent=1, ensure_ascii=False))
