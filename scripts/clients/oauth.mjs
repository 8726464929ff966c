// openid-client against the standard endpoints, which it finds in the service's metadata by itself.

import * as client from 'openid-client';
import { check, equal, refused, report } from './checks.mjs';
import * as service from './service.mjs';

// The service under test speaks plain HTTP.
const execute = [client.allowInsecureRequests];
const discover = (algorithm, authentication = client.None()) =>
  client.discovery(new URL(service.url), 'openid-client', undefined, authentication, { algorithm, execute });

const user = await service.register('openid-client');
const { username, password } = user;
const me = new URL('/api/v1/me', service.url);

// RFC 8414 has the metadata at one place, OpenID Connect Discovery at the other.
for (const algorithm of ['oauth2', 'oidc']) {
  const config = await discover(algorithm);
  equal(`${algorithm}: the issuer`, config.serverMetadata().issuer, service.url);

  const first = await client.genericGrantRequest(config, 'password', { username, password });
  equal(`${algorithm}: a token for 15 minutes`, [first.token_type, first.expires_in], ['bearer', 900]);
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  check(`${algorithm}: a refresh gives another access token`, second.access_token !== first.access_token);
  check(`${algorithm}: and another refresh token`, second.refresh_token !== first.refresh_token);
  const answer = await client.fetchProtectedResource(config, second.access_token, me, 'GET');
  equal(`${algorithm}: it is the user's`, (await answer.json()).id, user.id);

  // Who introspects shows an access token in place of a client's secret.
  const adminToken = await service.login(service.admin);
  const asAdmin = (server, metadata, body, headers) => headers.set('authorization', `Bearer ${adminToken}`);
  const introspector = await discover(algorithm, asAdmin);
  const introspect = (token) => client.tokenIntrospection(introspector, token);
  const { active, sub, client_id } = await introspect(second.access_token);
  equal(`${algorithm}: introspection tells of it`, [active, sub, client_id], [true, user.id, 'openid-client']);
  equal(`${algorithm}: but not of a refresh token`, await introspect(second.refresh_token), { active: false });

  await client.tokenRevocation(config, second.access_token);
  equal(`${algorithm}: after a revocation it is not active`, await introspect(second.access_token), { active: false });
  const { body } = await service.get('/api/v1/me', second.access_token);
  equal(`${algorithm}: the session is over`, body.code, 'revoked_token');
  await refused(`${algorithm}: a refresh after it`, client.ResponseBodyError, () =>
    client.refreshTokenGrant(config, second.refresh_token),
  );
  await client.tokenRevocation(config, 'unknown');
  check(`${algorithm}: revoking an unknown token is no error`, true);

  const wrong = client.genericGrantRequest(config, 'password', { username, password: 'not the password' });
  equal(`${algorithm}: a wrong password`, await wrong.catch((refusal) => refusal.error), 'invalid_grant');
}

report();
