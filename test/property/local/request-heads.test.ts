import fc from "fast-check";
import { expect, test } from "vitest";
import { RequestHeads } from "../../../src/local/request-heads.ts";

const token = fc
  .stringMatching(/^[a-z][a-z-]{0,10}$/)
  .filter((name) => !/^(content-length|transfer-encoding|host|upgrade)$/.test(name));
const value = fc.stringMatching(/^[!-~]{0,20}$/);
const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1"));

const request = fc
  .record({ headers: fc.array(fc.tuple(token, value), { maxLength: 5 }), body, chunked: fc.boolean() })
  .map((given) => {
    const lines = given.headers.map(([name, text]) => `${name}: ${text}\r\n`).join("");
    if (given.chunked) {
      const chunk = given.body.length === 0 ? "" : `${given.body.length.toString(16)}\r\n${given.body}\r\n`;
      return `POST /p HTTP/1.1\r\n${lines}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
    }
    return `POST /p HTTP/1.1\r\n${lines}Content-Length: ${given.body.length}\r\n\r\n${given.body}`;
  });

test("[U10] however the bytes are cut, the same requests come out, each marked once", () => {
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(2_000), { maxLength: 8 }),
      (requests, cuts) => {
        const bytes = Buffer.from(requests.join(""), "latin1");
        const heads = new RequestHeads("x-waggle-entry", "v");
        const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const out: Uint8Array[] = [];
        for (let index = 1; index < at.length; index++) {
          const fed = heads.feed(bytes.subarray(at[index - 1], at[index]));
          expect(fed.refusal).toBeNull();
          out.push(...fed.out);
        }
        const expected = requests
          .map((text) => text.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nx-waggle-entry: v\r\n"))
          .join("");
        expect(Buffer.concat(out).toString("latin1")).toBe(expected);
      },
    ),
  );
});
