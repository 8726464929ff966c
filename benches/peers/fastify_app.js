// Fastify and @fastify/jwt with its cache on, and bcrypt's own threads; the users are in memory.
//
// The environment gives PORT, PASSWORD, BCRYPT_COST, and PRIVATE_KEY and PUBLIC_KEY as PEM.

import jwt from '@fastify/jwt';
import bcrypt from 'bcrypt';
import Fastify from 'fastify';

const { PORT, PASSWORD, BCRYPT_COST, PRIVATE_KEY, PUBLIC_KEY } = process.env;
const hashed = await bcrypt.hash(PASSWORD, Number(BCRYPT_COST));

// As long as what GET /api/v1/me answers.
const user = (n) => ({
  id: `019ab6b2-0000-7000-8000-00000000000${n}`,
  username: `login${n}`,
  email: `login${n}@example.com`,
  email_verified: false,
  display_name: `Ada Lovelace ${n}`,
  roles: [],
  disabled: false,
  created_at: '2026-11-22T00:00:00.000000Z',
  updated_at: '2026-11-22T00:00:00.000000Z',
  last_login_at: '2026-11-22T00:00:00.000000Z',
});
const users = new Map(Array.from({ length: 8 }, (_, n) => [`login${n}`, user(n)]));

const app = Fastify();
await app.register(jwt, {
  secret: { private: PRIVATE_KEY, public: PUBLIC_KEY },
  sign: { algorithm: 'ES256', iss: 'bench', aud: 'bench', expiresIn: '1h' },
  verify: { algorithms: ['ES256'], allowedIss: 'bench', allowedAud: 'bench', cache: true },
});

app.get('/health', async () => ({ status: 'ok' }));

app.post('/login', async (request, reply) => {
  const { username, password } = request.body;
  const right = await bcrypt.compare(password, hashed);
  if (!right || !users.has(username)) return reply.code(401).send({ error: 'invalid' });
  return { access_token: await reply.jwtSign({ sub: username }) };
});

app.get('/me', async (request, reply) => {
  await request.jwtVerify();
  return users.get(request.user.sub) ?? reply.code(401).send({ error: 'invalid' });
});

await app.listen({ port: Number(PORT), host: '127.0.0.1' });
