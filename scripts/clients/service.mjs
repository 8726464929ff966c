// The service under test, as the programs here call it by hand: what is not the client's under test to do.

const { PUBLIC_URL, ADMIN_USERNAME, ADMIN_PASSWORD } = process.env;

export const url = PUBLIC_URL;
export const admin = { username: ADMIN_USERNAME, password: ADMIN_PASSWORD };

export async function post(path, body) {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

// Status and body.
export async function get(path, accessToken) {
  const headers = accessToken ? { authorization: `Bearer ${accessToken}` } : {};
  const answer = await fetch(url + path, { headers, signal: AbortSignal.timeout(10_000) });
  return { status: answer.status, body: await answer.json() };
}

// A new user, with the password.
export async function register(username) {
  const password = 'tidal-lantern-mosaic-42';
  return { ...(await post('/api/v1/register', { username, password })), password };
}

export async function login({ username, password }) {
  return (await post('/api/v1/login', { username, password })).access_token;
}

export async function publicKeys() {
  return (await get('/.well-known/jwks.json')).body;
}
