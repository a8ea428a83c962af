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
  .map(({ headers, body, chunked }) => {
    const lines = headers.map(([name, text]) => `${name}: ${text}\r\n`).join("");
    if (chunked) {
      const chunk = body.length === 0 ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
      return `POST /p HTTP/1.1\r\n${lines}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
    }
    return `POST /p HTTP/1.1\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
  });

test("[U10] however the bytes are split, each request passes with one entry header", () => {
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(2_000), { maxLength: 8 }),
      (requests, cuts) => {
        const bytes = Buffer.from(requests.join(""), "latin1");
        const heads = new RequestHeads("x-waggle-entry", "v");
        const offsets = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
        offsets.sort((a, b) => a - b);
        const out: Uint8Array[] = [];
        for (let index = 1; index < offsets.length; index++) {
          const result = heads.feed(bytes.subarray(offsets[index - 1], offsets[index]));
          expect(result.refusal).toBeNull();
          out.push(...result.out);
        }
        const expected = requests
          .map((text) => text.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nx-waggle-entry: v\r\n"))
          .join("");
        expect(Buffer.concat(out).toString("latin1")).toBe(expected);
      },
    ),
  );
});
