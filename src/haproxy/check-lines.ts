// How a backend checks: `option httpchk`, the `http-check` lines and `timeout check`.

import { defaultHttpCheck, type Expect, type HttpCheck } from "../domain/model/server.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { ConfigError } from "./words.ts";

/** `option httpchk [METHOD] [URI] [VERSION [HEADERS]]`. */
export function readHttpchk({ line, words }: Directive, before: HttpCheck | null): HttpCheck {
  const [, , first, second, third, ...rest] = words;
  const check = {
    ...defaultHttpCheck,
    expect: before?.expect ?? null,
    disableOn404: before?.disableOn404 ?? false,
  };
  if (first === undefined) return check;
  // One word is the URI.
  if (second === undefined) return { ...check, uri: first };
  const headers = rest.length === 0 ? [] : headersOf(rest.join(" "), line);
  // Headers used to be written into the version, with \r\n between them.
  const [version = "HTTP/1.0", ...lines] = (third ?? "HTTP/1.0").split("\r\n");
  return {
    ...check,
    method: first,
    uri: second,
    version: versionOf(version, line),
    headers: [...lines.filter((text) => text !== "").flatMap((text) => headersOf(text, line)), ...headers],
  };
}

/** One `http-check` line, over what there was. */
export function readHttpCheck(directive: Directive, before: HttpCheck, remarks: Diagnostics): HttpCheck {
  const { line, words } = directive;
  const [, verb, ...rest] = words;
  if (verb === "send") return readSend(rest, before, line);
  if (verb === "expect") return { ...before, expect: readExpect(rest, line) };
  if (verb === "disable-on-404") return { ...before, disableOn404: true };
  if (
    verb === "send-state" ||
    verb === "comment" ||
    verb === "connect" ||
    verb?.startsWith("set-var") ||
    verb === "unset-var"
  ) {
    remarks.add(
      directive,
      "could not",
      `http-check ${verb}: a check is one connection, one request and one answer`,
    );
    return before;
  }
  throw new ConfigError(line, `http-check has no "${verb ?? ""}": write send, expect or disable-on-404`);
}

function readSend(words: readonly string[], before: HttpCheck, line: number): HttpCheck {
  let check: HttpCheck = { ...before, headers: [] };
  for (let at = 0; at < words.length; at += 2) {
    const [word, value, more] = words.slice(at, at + 3);
    if (value === undefined) throw new ConfigError(line, `${word} wants a value after it`);
    if (word === "meth") check = { ...check, method: value };
    else if (word === "uri") check = { ...check, uri: value };
    else if (word === "ver") check = { ...check, version: versionOf(value, line) };
    else if (word === "hdr") {
      if (more === undefined)
        throw new ConfigError(line, "hdr wants a name and a value: hdr Host www.example.com");
      check = { ...check, headers: [...check.headers, { name: value, value: more }] };
      at += 1;
    } else {
      throw new ConfigError(line, `a check's request cannot have "${word}": write meth, uri, ver or hdr`);
    }
  }
  return check;
}

const expectKinds: readonly string[] = ["status", "rstatus", "string", "rstring"];

function readExpect(words: readonly string[], line: number): Expect {
  const asked = words[0] === "min-recv" || words[0] === "comment" ? words.slice(2) : words;
  const not = asked[0] === "!";
  const [kind = "", ...pattern] = not ? asked.slice(1) : asked;
  if (!expectKinds.includes(kind) || pattern.length === 0) {
    throw new ConfigError(
      line,
      `cannot expect "${asked.join(" ")}": write status 200-399, rstatus PATTERN, string TEXT or rstring PATTERN`,
    );
  }
  return { kind: kind as Expect["kind"], pattern: pattern.join(" "), not };
}

function versionOf(text: string, line: number): HttpCheck["version"] {
  if (text === "HTTP/1.0" || text === "HTTP/1.1") return text;
  throw new ConfigError(line, `a check speaks HTTP/1.0 or HTTP/1.1, not "${text}"`);
}

function headersOf(text: string, line: number): HttpCheck["headers"] {
  return text.split(/\r\n/).map((one) => {
    const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(one) ?? [];
    if (name === undefined || value === undefined) {
      throw new ConfigError(
        line,
        `"${one}" is no header: write Host:\\ www.example.com, or use http-check send hdr`,
      );
    }
    return { name, value };
  });
}
