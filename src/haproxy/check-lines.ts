// The HTTP check of a backend: `option httpchk` and `http-check` lines.

import { MeshError } from "../domain/model/error.ts";
import {
  defaultHttpCheck,
  type Expect,
  type HttpCheck,
  serverDefaults,
  withCheckDefaults,
} from "../domain/model/server.ts";
import { validateServer } from "../domain/validate/server.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";

/** Reads the lines of a backend in their order. Those that the mesh cannot check become diagnostics. */
export function readHttpCheck(lines: readonly Directive[], diagnostics: Diagnostics): HttpCheck {
  return new HttpCheckReader(diagnostics).read(lines);
}

class HttpCheckReader {
  readonly #diagnostics: Diagnostics;
  #check: HttpCheck = defaultHttpCheck;
  #hasSend = false;
  #hasExpect = false;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  read(lines: readonly Directive[]): HttpCheck {
    for (const directive of lines) {
      const [head, verb] = directive.words;
      if (head === "option") this.#take(directive, this.#readOption(directive));
      else if (verb === "send") this.#takeOnce(directive, this.#hasSend, () => this.#readSend(directive));
      else if (verb === "expect")
        this.#takeOnce(directive, this.#hasExpect, () => this.#readExpect(directive));
      else if (verb === "disable-on-404") this.#take(directive, { ...this.#check, disableOn404: true });
      else if (verb === "comment") this.#diagnostics.add(directive, "as is", "it has no effect on the check");
      else {
        const note = `http-check ${verb}: a check is one connection with one request and its response`;
        this.#diagnostics.add(directive, "could not", note);
      }
    }
    return this.#check;
  }

  /** A check has one request and one expectation; later ones are steps that the mesh does not have. */
  #takeOnce(directive: Directive, isLater: boolean, read: () => HttpCheck | null): void {
    if (isLater) {
      const note = "a check is one connection with one request and its response";
      this.#diagnostics.add(directive, "could not", note);
    } else this.#take(directive, read());
  }

  /** Takes a check that the mesh can run. Null: the reason is a diagnostic already. */
  #take(directive: Directive, check: HttpCheck | null): void {
    if (check === null) return;
    try {
      const spec = withCheckDefaults({ http: check }, serverDefaults);
      validateServer({ ...serverDefaults, name: "check", host: "127.0.0.1", port: 80, check: spec });
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      this.#diagnostics.add(directive, "could not", error.message);
      return;
    }
    this.#check = check;
    this.#diagnostics.add(directive, "taken");
  }

  /** Reads `option httpchk [METHOD] [URI] [VERSION]`. */
  #readOption(directive: Directive): HttpCheck | null {
    const [, , first, second, third] = directive.words;
    if (first === undefined) return this.#check;
    // A single word is the URI.
    if (second === undefined) return { ...this.#check, uri: first };
    // Older configurations write headers into the version, separated by \r\n.
    const [version = "HTTP/1.0", ...lines] = (third ?? "HTTP/1.0").split("\r\n");
    const headers = lines.filter((text) => text !== "").map(headerOf);
    const invalid = headers.includes(null);
    if (!isVersion(version) || invalid) {
      const note = invalid
        ? "a header of the check cannot be read"
        : `a check uses HTTP/1.0 or HTTP/1.1, not ${version}`;
      this.#diagnostics.add(directive, "could not", note);
      return null;
    }
    return {
      ...this.#check,
      method: first,
      uri: second,
      version,
      headers: headers.filter((header) => header !== null),
    };
  }

  #readSend(directive: Directive): HttpCheck | null {
    const words = directive.words.slice(2);
    let check: HttpCheck = { ...this.#check, headers: [] };
    for (let at = 0; at < words.length; at += 2) {
      const [word = "", value = "", second = ""] = words.slice(at, at + 3);
      if (word === "meth") check = { ...check, method: value };
      else if (word === "uri") check = { ...check, uri: value };
      else if (word === "ver" && isVersion(value)) check = { ...check, version: value };
      else if (word === "hdr" && !second.includes("%")) {
        check = { ...check, headers: [...check.headers, { name: value, value: second }] };
        at += 1;
      } else if (word !== "comment") {
        this.#diagnostics.add(
          directive,
          "could not",
          `${word}: a check sends a fixed request without a body`,
        );
        if (word === "hdr") at += 1;
      }
    }
    this.#hasSend = true;
    return check;
  }

  #readExpect(directive: Directive): HttpCheck | null {
    const expect = expectOf(directive, this.#diagnostics);
    this.#hasExpect = true;
    return expect === null ? null : { ...this.#check, expect };
  }
}

const expectKinds: ReadonlySet<string> = new Set(["status", "rstatus", "string", "rstring"]);
/** Words before or after the expectation, each with a value. */
const expectParams: ReadonlySet<string> = new Set([
  ...[
    "comment",
    "min-recv",
    "ok-status",
    "error-status",
    "tout-status",
    "on-success",
    "on-error",
    "status-code",
  ],
]);

function expectOf(directive: Directive, diagnostics: Diagnostics): Expect | null {
  const words = directive.words.slice(2);
  let not = false;
  let expect: Expect | null = null;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (expectParams.has(word)) {
      if (word !== "comment") diagnostics.add(directive, "could not", `${word}: a check passes or fails`);
      at += 1;
    } else if (word === "!") not = true;
    else {
      const kind = word.replace(/^!/, "");
      if (!expectKinds.has(kind)) {
        diagnostics.add(directive, "could not", `${kind}: a check expects a status or a text`);
        return null;
      }
      expect = { kind: kind as Expect["kind"], pattern: words[at + 1] ?? "", not: not || kind !== word };
      at += 1;
    }
  }
  return expect;
}

function isVersion(text: string): text is HttpCheck["version"] {
  return text === "HTTP/1.0" || text === "HTTP/1.1";
}

/** Null for a text that is not a header on one line. */
function headerOf(text: string): HttpCheck["headers"][number] | null {
  const [, name = ""] = /^([^:\s]+):/.exec(text) ?? [];
  const value = text.slice(name.length + 1).trimStart();
  return name === "" || /[\n\r\u2028\u2029]/.test(value) ? null : { name, value };
}
