// A relying party made of the npm package openid-client: relying_party.mjs ISSUER CLIENT_ID [CLIENT_SECRET]. It says where the browser is
// to go, reads where that came back to, and goes on; each of its lines is JSON.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const [issuer, id, secret] = process.argv.slice(2);
const redirect_uri = "http://localhost:9/callback";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (told) => console.log(JSON.stringify(told));
const heard = async () => (await lines.next()).value;
// Its own word for what went wrong, and the provider's.
const refused = (error) => ({ code: error.code, error: error.error ?? error.cause?.error, status: error.status });
const attempt = (act) => act().then((done) => ({ done }), (error) => ({ refused: refused(error) }));

const config = await client.discovery(new URL(issuer), id, undefined, secret ? client.ClientSecretBasic(secret) : client.None(), {
  execute: [client.allowInsecureRequests],
});
const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri,
  scope: "openid profile email groups offline_access",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
});
say({ url: url.href });

const back = new URL(await heard());
const expected = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, back, expected);
const claims = tokens.claims();
say({ claims, info: await client.fetchUserInfo(config, tokens.access_token, claims.sub), expires_in: tokens.expiresIn() });

const second = await client.refreshTokenGrant(config, tokens.refresh_token);
const active = async (token) => (await client.tokenIntrospection(config, token)).active;
say({ refreshed: second.claims().sub, active: secret ? await active(second.access_token) : null });

// Whatever comes next: "info" about the newest access token, "refresh" by the newest refresh token, "replay" of the code, "reuse" of the
// first refresh token, "revoke", and "logout", which says where the browser is to go.
const bye = { id_token_hint: second.id_token, post_logout_redirect_uri: "http://localhost:9/bye", state: "s" };
for (let word = await heard(); word; word = await heard()) {
  if (word === "info") say(await attempt(() => client.fetchUserInfo(config, second.access_token, claims.sub)));
  else if (word === "refresh") say(await attempt(() => client.refreshTokenGrant(config, second.refresh_token)));
  else if (word === "replay") say(await attempt(() => client.authorizationCodeGrant(config, back, expected)));
  else if (word === "reuse") say(await attempt(() => client.refreshTokenGrant(config, tokens.refresh_token)));
  else if (word === "revoke") say(await attempt(() => client.tokenRevocation(config, second.refresh_token)));
  else say({ url: client.buildEndSessionUrl(config, bye).href });
}
