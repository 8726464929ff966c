// jose verifies the tokens of tokens.py.
//
// verify.mjs FILE    what `tokens.py all` printed

import { readFile } from 'node:fs/promises';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { check, equal, refused, report } from './checks.mjs';
import { url } from './service.mjs';

const { JWT_ALGORITHM, JWT_AUDIENCE, JWT_SECRET } = process.env;
const keys =
  JWT_ALGORITHM === 'HS256'
    ? new TextEncoder().encode(JWT_SECRET)
    : createRemoteJWKSet(new URL('/.well-known/jwks.json', url));

const required = {
  issuer: url,
  audience: JWT_AUDIENCE,
  typ: 'at+jwt',
  requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id', 'sid', 'gen', 'roles'],
};
const verify = (token, other) => jwtVerify(token, keys, { ...required, ...other });

const shown = JSON.parse(await readFile(process.argv[2], 'utf8'));

const { payload, protectedHeader } = await verify(shown.admin);
equal('alg', protectedHeader.alg, JWT_ALGORITHM);
equal('the client', payload.client_id, 'portcullis');
equal("the admin's roles", payload.roles, ['admin']);
equal('it lives for 15 minutes', payload.exp - payload.iat, 900);
equal('a user without roles', (await verify(shown.user)).payload.roles, []);

const { JOSEError, JWTClaimValidationFailed, JWTExpired } = errors;
for (const [what, other] of Object.entries({
  'a token of another issuer': { issuer: 'https://other.example' },
  'a token for another audience': { audience: url },
  'a token of another type': { typ: 'JWT' },
})) {
  await refused(what, JWTClaimValidationFailed, () => verify(shown.admin, other));
}
await refused('an expired token', JWTExpired, () => verify(shown.expired));
const before = new Date(JSON.parse(Buffer.from(shown.expired.split('.')[1], 'base64url')).iat * 1000);
check('which was good before', await verify(shown.expired, { currentDate: before }));
for (const [what, token] of Object.entries(shown.forged)) {
  await refused(what, JOSEError, () => verify(token));
}

report();
