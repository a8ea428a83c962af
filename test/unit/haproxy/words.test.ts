import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, printWords, splitWords } from "../../../src/haproxy/words.ts";

const env = { NAME: "web 1", PORT: "8080" };
const words = (text: string) => splitWords(text, 1, env);

test.each([
  ["server a 10.0.0.1:80 check", ["server", "a", "10.0.0.1:80", "check"]],
  ["   log-format \t x # a comment", ["log-format", "x"]],
  ['a\\ b c\\#d \\\\ \\"', ["a b", "c#d", "\\", '"']],
  ["'a b'c \"d e\"", ["a bc", "d e"]],
  ["'no \\ escape # here'", ["no \\ escape # here"]],
  ['"tab\\there" \\x41', ["tab\there", "A"]],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy's syntax
  ['"$NAME:${PORT}" $NAME "${NONE-else}"', ["web 1:8080", "$NAME", "else"]],
  ["''", [""]],
  ["# only a comment", []],
])("[I1] %s is split as HAProxy does", (text, expected) => {
  expect(words(text)).toEqual(expected);
});

test.each([
  ["log 'open", "does not end"],
  ['log "open', "does not end"],
  ["log \\", "nothing to escape"],
  ["log \\xzz", "two hexadecimal digits"],
  ['bind "$MISSING:80"', "the variable MISSING is not set"],
])("[I1] %s is refused with its line", (text, message) => {
  try {
    splitWords(text, 7, env);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ line: 7, message: expect.stringContaining(message) });
  }
});

test("[I2] printed words read back unchanged, whatever they contain", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" }), { maxLength: 6 }), (original) => {
      expect(splitWords(printWords(original), 1, {})).toEqual(original);
    }),
  );
});
