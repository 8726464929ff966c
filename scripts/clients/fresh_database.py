"""A database of its own on the server of TEST_DATABASE_URL, so that whatever is there already stays untouched.

create: makes it and prints its URL. drop URL: drops it.
"""

import os
import secrets
import sys
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

server = os.environ["TEST_DATABASE_URL"]


def run(statement: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


match sys.argv[1:]:
    case ["create"]:
        name = f"portcullis_clients_{secrets.token_hex(6)}"
        try:
            run("create database {}", name)
        except psycopg.Error as error:
            sys.exit(f"the user of TEST_DATABASE_URL can't create a database: {error}")
        print(urlunsplit(urlsplit(server)._replace(path=f"/{name}")))
    case ["drop", url]:
        run("drop database if exists {} with (force)", urlsplit(url).path.lstrip("/"))
    case _:
        sys.exit(__doc__)
