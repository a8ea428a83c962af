// The HTTP check of a backend: `option httpchk` and `http-check` lines.

import { refuseExpect } from "../domain/model/check-expect.ts";
import { defaultHttpCheck, type Expect, type HttpCheck } from "../domain/model/server.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { ConfigError } from "./words.ts";

/** Reads `option httpchk [METHOD] [URI] [VERSION [HEADERS]]`. @param previous the check of earlier lines */
export function readHttpchk({ line, words }: Directive, previous: HttpCheck | null): HttpCheck {
  const [, , first, second, third, ...rest] = words;
  const check = {
    ...defaultHttpCheck,
    expect: previous?.expect ?? null,
    disableOn404: previous?.disableOn404 ?? false,
  };
  if (first === undefined) return check;
  // A single word is the URI.
  if (second === undefined) return { ...check, uri: first };
  const headers = rest.length === 0 ? [] : headersOf(rest.join(" "), line);
  // Older configurations write headers into the version, separated by \r\n.
  const [version = "HTTP/1.0", ...lines] = (third ?? "HTTP/1.0").split("\r\n");
  return {
    ...check,
    method: first,
    uri: second,
    version: versionOf(version, line),
    headers: [...lines.filter((text) => text !== "").flatMap((text) => headersOf(text, line)), ...headers],
  };
}

/**
 * Applies one `http-check` line to the check of earlier lines. Null if the line is not supported and has no
 * effect.
 */
export function readHttpCheck(
  directive: Directive,
  previous: HttpCheck,
  diagnostics: Diagnostics,
): HttpCheck | null {
  const { line, words } = directive;
  const [, verb, ...rest] = words;
  if (verb === "send") return readSend(rest, previous, line);
  if (verb === "expect") {
    const expect = readExpect(rest, line);
    const refusal = refuseExpect(expect);
    if (refusal === null) return { ...previous, expect };
    if (refusal.fault === "syntax") throw new ConfigError(line, refusal.why);
    diagnostics.add(directive, "could not", `${refusal.why}. The check does without this line`);
    return null;
  }
  if (verb === "disable-on-404") return { ...previous, disableOn404: true };
  if (
    verb === "send-state" ||
    verb === "comment" ||
    verb === "connect" ||
    verb?.startsWith("set-var") ||
    verb === "unset-var"
  ) {
    diagnostics.add(
      directive,
      "could not",
      `http-check ${verb}: a check is one connection with one request and its response`,
    );
    return null;
  }
  throw new ConfigError(line, `http-check has no "${verb ?? ""}": write send, expect or disable-on-404`);
}

function readSend(words: readonly string[], previous: HttpCheck, line: number): HttpCheck {
  let check: HttpCheck = { ...previous, headers: [] };
  for (let at = 0; at < words.length; at += 2) {
    const [word, value, second] = words.slice(at, at + 3);
    if (value === undefined) throw new ConfigError(line, `${word} needs a value after it`);
    if (word === "meth") check = { ...check, method: value };
    else if (word === "uri") check = { ...check, uri: value };
    else if (word === "ver") check = { ...check, version: versionOf(value, line) };
    else if (word === "hdr") {
      if (second === undefined)
        throw new ConfigError(line, "hdr needs a name and a value: hdr Host www.example.com");
      check = { ...check, headers: [...check.headers, { name: value, value: second }] };
      at += 1;
    } else {
      throw new ConfigError(line, `http-check send has no "${word}": write meth, uri, ver or hdr`);
    }
  }
  return check;
}

const expectKinds: readonly string[] = ["status", "rstatus", "string", "rstring"];

function readExpect(words: readonly string[], line: number): Expect {
  const expression = words[0] === "min-recv" || words[0] === "comment" ? words.slice(2) : words;
  const not = expression[0] === "!";
  const [kind = "", ...pattern] = not ? expression.slice(1) : expression;
  if (!expectKinds.includes(kind) || pattern.length === 0) {
    throw new ConfigError(
      line,
      `cannot expect "${expression.join(" ")}": write status 200-399, rstatus PATTERN, string TEXT or rstring PATTERN`,
    );
  }
  return { kind: kind as Expect["kind"], pattern: pattern.join(" "), not };
}

function versionOf(text: string, line: number): HttpCheck["version"] {
  if (text === "HTTP/1.0" || text === "HTTP/1.1") return text;
  throw new ConfigError(line, `a check uses HTTP/1.0 or HTTP/1.1, not "${text}"`);
}

function headersOf(text: string, line: number): HttpCheck["headers"] {
  return text.split(/\r\n/).map((header) => {
    const [, name, value] = /^([^:\s]+):(.*)$/.exec(header) ?? [];
    if (name === undefined || value === undefined) {
      throw new ConfigError(
        line,
        `"${header}" is not a header: write Host:\\ www.example.com, or use http-check send hdr`,
      );
    }
    return { name, value: value.trimStart() };
  });
}
