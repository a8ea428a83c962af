import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, expandAddress, printWords, splitWords } from "../../../src/haproxy/words.ts";

const env = { NAME: "web 1", PORT: "8080" };
const words = (text: string) => splitWords(text, 1, env).words;

test.each([
  ["server a 10.0.0.1:80 check", ["server", "a", "10.0.0.1:80", "check"]],
  ["   log-format \t x # a comment", ["log-format", "x"]],
  ['a\\ b c\\#d \\\\ \\"', ["a b", "c#d", "\\", '"']],
  ["'a b'c \"d e\"", ["a bc", "d e"]],
  ["'no \\ escape # here'", ["no \\ escape # here"]],
  ['"tab\\there" \\x41', ["tab\there", "A"]],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy's syntax
  ['"$NAME:${PORT}" $NAME "${NONE-else}"', ["web 1:8080", "$NAME", "else"]],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy's syntax
  ['"${NAME[*]}" "${NAME}"', ["web", "1", "web 1"]],
  ["^/a\\.b$ \\1 a\\", ["^/a\\.b$", "\\1", "a\\"]],
  ['"a\\$" a$ \'a$\' "$.LINE.x"', ["a$", "a$", "a$", "1.x"]],
  ["''", [""]],
  ["# only a comment", []],
])("[I1] %s is split as HAProxy does", (text, expected) => {
  expect(words(text)).toEqual(expected);
});

test.each([
  ["log 'open", "does not end"],
  ['log "open', "does not end"],
  ["log \\xzz", "two hexadecimal digits"],
  ['bind "$1:80"', "is not a variable"],
  ['http-check expect rstring "(a+)+$"', "write \\$ for a $"],
  ['bind "$.PORT"', "is not a variable"],
  ['bind "$.LINES"', "is not a variable"],
  ['bind "${PORT"', "a } is missing"],
])("[I1] %s is refused with its line", (text, message) => {
  try {
    splitWords(text, 7, env);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ line: 7, message: expect.stringContaining(message) });
  }
});

test("[I26] a variable that is not set becomes nothing, and its name is reported", () => {
  expect(splitWords('bind "$MISSING:80"', 1, env)).toEqual({ words: ["bind", ":80"], unset: ["MISSING"] });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy's syntax
  expect(expandAddress("$NAME:${MISSING}", env)).toEqual({ text: "web 1:", unset: ["MISSING"] });
});

test("[I2] printed words read back unchanged, whatever they contain", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" }), { maxLength: 6 }), (original) => {
      expect(splitWords(printWords(original), 1, {}).words).toEqual(original);
    }),
  );
});
