import fc from "fast-check";
import { expect, test } from "vitest";
import { headerLines } from "../../../../src/proxy/http/header-lines.ts";

test.each([
  ["www-authenticate", 'Negotiate, Basic realm="a, b"', ["Negotiate", 'Basic realm="a, b"']],
  ["www-authenticate", "Negotiate, NTLM", ["Negotiate", "NTLM"]],
  ["www-authenticate", "Negotiate YII=, Basic realm=x", ["Negotiate YII=", "Basic realm=x"]],
  [
    "www-authenticate",
    'Digest realm="a", qop="auth, auth-int", nonce = "x", Basic realm="b \\" Negotiate, c"',
    ['Digest realm="a", qop="auth, auth-int", nonce = "x"', 'Basic realm="b \\" Negotiate, c"'],
  ],
  ["proxy-authenticate", "Basic realm=a,Bearer", ["Basic realm=a", "Bearer"]],
  ["www-authenticate", 'Basic realm="a, Negotiate', ['Basic realm="a, Negotiate']],
  ["link", "<a>, <b>", ["<a>", "<b>"]],
  ["link", '<a,b>; rel="x, y"; title="<", </c>', ['<a,b>; rel="x, y"; title="<"', "</c>"]],
  ["link", "<a, <b", ["<a, <b"]],
  ["vary", "a, b", ["a, b"]],
  ["x-list", "a, b", ["a, b"]],
])("[Q28] %s: %s has the lines %j", (name, value, expected) => {
  expect(headerLines(name, value)).toEqual(expected);
});

const token = fc.stringMatching(/^[A-Za-z0-9!#-]{1,6}$/);
const quoted = fc.stringMatching(/^[ a-z,<>=]{0,8}$/).map((text) => `"${text}"`);
const parameter = fc.tuple(token, fc.oneof(token, quoted)).map((pair) => pair.join("="));
const challenge = fc.oneof(
  token,
  fc.tuple(token, fc.stringMatching(/^[a-zA-Z0-9+/]{1,8}={0,2}$/)).map((pair) => pair.join(" ")),
  fc
    .tuple(token, fc.array(parameter, { minLength: 1, maxLength: 3 }))
    .map(([scheme, list]) => `${scheme} ${list.join(", ")}`),
);

test("[Q28] joined challenges are split where they were joined", () => {
  fc.assert(
    fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (challenges) => {
      expect(headerLines("www-authenticate", challenges.join(", "))).toEqual(challenges);
    }),
  );
});
