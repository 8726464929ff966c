// A service that verifies with jose while the signing keys change.
//
// rotation.mjs rotate FILE COMMAND…    COMMAND, run beside FILE, publishes a second key; FILE gets what was before
// rotation.mjs change FILE             JWT_ALGORITHM is another one since then
// rotation.mjs revoke FILE COMMAND…    COMMAND revokes the key whose id is put after it

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwksCache, jwtVerify } from 'jose';
import { check, equal, refused, report } from './checks.mjs';
import * as service from './service.mjs';

const { JWT_ALGORITHM, JWT_AUDIENCE } = process.env;
const [step, file, ...command] = process.argv.slice(2);

const keySet = (options) => createRemoteJWKSet(new URL('/.well-known/jwks.json', service.url), options);
const verify = (token, keys) => jwtVerify(token, keys, { issuer: service.url, audience: JWT_AUDIENCE, typ: 'at+jwt' });
const statusFor = async (token) => (await service.get('/api/v1/me', token)).status;
const kids = async () => (await service.publicKeys()).keys.map(({ kid }) => kid);

// For the service, for who has had the public keys for a while, and for who has not.
async function accepted(which, token, keys) {
  equal(`the service takes ${which} token`, await statusFor(token), 200);
  check(`jose takes it with the keys from before`, await verify(token, keys));
  check(`jose takes it with the keys of now`, await verify(token, keySet()));
}

// Runs the command, and waits until the running service shows the `expected` in its public keys.
async function run(args, expected) {
  const [program, ...first] = command;
  const started = Date.now();
  execFileSync(program, [...first, ...args], { cwd: dirname(file), stdio: 'inherit' });
  let published = await kids();
  while (!expected(published) && Date.now() - started < 10_000) {
    await setTimeout(50);
    published = await kids();
  }
  console.log(`${published.length} public keys, ${Date.now() - started} ms after the command was started`);
  return published;
}

async function rotate() {
  const keys = keySet();
  const token = await service.login(service.admin);
  check('jose takes a token', await verify(token, keys));
  const published = await service.publicKeys();
  equal('there is one key', published.keys.length, 1);
  await writeFile(file, JSON.stringify({ token, published }));

  const after = await run([], (now) => now.length > 1);
  equal('then there are two', after.length, 2);
  check('of which one is the old one', after.includes(published.keys[0].kid), after);
  await accepted('an old', token, keys);
  await accepted('a new', await service.login(service.admin), keys);
}

async function change(before) {
  const token = await service.login(service.admin);
  equal('new tokens are of the new algorithm', decodeProtectedHeader(token).alg, JWT_ALGORITHM);
  check('the old one is not', decodeProtectedHeader(before.token).alg !== JWT_ALGORITHM);

  // jose keeps keys for ten minutes; but where it finds none for a token and has not just asked, it asks again.
  const minuteAgo = Date.now() - 60_000;
  const keys = keySet({ [jwksCache]: { jwks: before.published, uat: minuteAgo } });
  await accepted('an old', before.token, keys);
  await accepted('a new', token, keys);
}

async function revoke(before) {
  const [{ kid }] = before.published.keys;
  const token = await service.login(service.admin);
  check('it is published', (await kids()).includes(kid));
  const after = await run([kid], (now) => !now.includes(kid));
  check('then it is not', !after.includes(kid), after);
  equal('the service refuses what it signed', await statusFor(before.token), 401);
  await refused('what it signed, by jose,', errors.JWKSNoMatchingKey, () => verify(before.token, keySet()));
  await accepted('another', token, keySet());
}

const known = step === 'rotate' ? undefined : JSON.parse(await readFile(file, 'utf8'));
await { rotate, change, revoke }[step](known);
report();
