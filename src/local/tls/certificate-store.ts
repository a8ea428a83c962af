// The certificates of a machine's listeners: read from files, read again when those change, and given to each TLS
// handshake by the name that the client asks for.

import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext, type SecureContext, type Server } from "node:tls";
import {
  CertificateNames,
  type CertificatePair,
  type PemFile,
  type PemProblem,
  readPairs,
  withKeptPairs,
} from "./certificate-pairs.ts";
import type { ServerTls } from "./server-tls.ts";

/** How often the files are looked at, milliseconds. Watching them does not show a link that leads elsewhere. */
const filesPollMs = 1_000;

/** A folder of a mistake, such as `/`, must not be read whole. */
const maxFiles = 10_000;
const maxPemBytes = 1_048_576;

const dayMs = 86_400_000;
/** From here on the log warns once a day. Authorities renew 30 days before the end. */
const warnBeforeMs = 14 * dayMs;

const minVersion = "TLSv1.2";

type UsedPair = CertificatePair & { readonly context: SecureContext };

export class CertificateStore implements ServerTls {
  readonly options: ServerTls["options"];
  readonly #paths: readonly string[];
  readonly #log: (line: string) => void;
  readonly #servers = new Set<Server>();
  readonly #watch: NodeJS.Timeout;
  #print = "";
  #pairs: readonly UsedPair[] = [];
  #names = new CertificateNames<UsedPair>([]);
  #problems: readonly PemProblem[] = [];
  #warnedMs = 0;
  readonly #unknownNames = new Set<string>();

  /**
   * Reads the certificates, and follows their files until `close`.
   *
   * @param paths of PEM files, and of folders with such files and folders
   */
  constructor(paths: readonly string[], log: (line: string) => void) {
    this.#paths = paths;
    this.#log = log;
    this.options = {
      minVersion,
      ALPNProtocols: ["http/1.1"],
      SNICallback: (name, done) => done(null, this.#contextFor(name)),
    };
    this.#read();
    this.#watch = setInterval(() => this.#read(), filesPollMs);
    this.#watch.unref();
  }

  /** Why no client can be served; null if there is a certificate. */
  get problem(): string | null {
    if (this.#pairs.length > 0) return null;
    const [first] = this.#problems;
    const reason = first === undefined ? "no file was found" : `${first.path}: ${first.why}`;
    return `no certificate of ${this.#paths.join(", ")} can be used: ${reason}`;
  }

  follow(server: Server): void {
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
    this.#setDefault(server);
  }

  close(): void {
    clearInterval(this.#watch);
  }

  #contextFor(name: string): SecureContext | undefined {
    const found = this.#names.find(name);
    if (found === null && this.#unknownNames.size < 100 && !this.#unknownNames.has(name)) {
      this.#unknownNames.add(name);
      const other = this.#names.default?.source ?? "none";
      this.#log(`no certificate is for ${JSON.stringify(name)}, which a client asked for; it gets ${other}`);
    }
    return (found ?? this.#names.default)?.context;
  }

  #read(): void {
    const listed = listFiles(this.#paths);
    const print = listed.map(({ path, print: text }) => `${path} ${text}`).join("\n");
    this.#warnOfExpiry();
    if (print === this.#print) return;
    this.#print = print;
    const { files, problems } = readFiles(listed);
    const read = readPairs(files, Date.now());
    const usable = this.#withContexts(read.pairs);
    const paths = new Set(listed.map(({ path }) => path));
    const pairs = withKeptPairs(usable.pairs, this.#pairs, paths) as readonly UsedPair[];
    this.#report(pairs, [...problems, ...read.problems, ...usable.problems]);
    this.#pairs = pairs;
    this.#names = new CertificateNames(pairs);
    this.#unknownNames.clear();
    for (const server of this.#servers) this.#setDefault(server);
  }

  /** OpenSSL refuses some that can be read, such as those with a short key. */
  #withContexts(pairs: readonly CertificatePair[]) {
    const problems: PemProblem[] = [];
    const used = pairs.flatMap((pair) => {
      const before = this.#pairs.find((other) => other.cert === pair.cert && other.key === pair.key);
      if (before !== undefined) return [{ ...pair, context: before.context }];
      try {
        const { cert, key } = pair;
        return [{ ...pair, context: createSecureContext({ cert, key, minVersion }) }];
      } catch (error) {
        problems.push({ path: pair.source, why: (error as Error).message });
        return [];
      }
    });
    return { pairs: used, problems };
  }

  #report(pairs: readonly UsedPair[], problems: readonly PemProblem[]): void {
    const known = new Set(this.#problems.map(({ path, why }) => `${path} ${why}`));
    for (const { path, why } of problems) {
      if (known.has(`${path} ${why}`)) continue;
      const isUsed = pairs.some(({ source }) => source === path);
      this.#log(`${path} is not used: ${why}${isUsed ? "; the certificate read before stays in use" : ""}`);
    }
    this.#problems = problems;
    const contexts = new Set(this.#pairs.map(({ context }) => context));
    for (const { source, names, untilMs, context } of pairs)
      if (!contexts.has(context))
        this.#log(`uses ${source} for ${names.join(", ")} until ${new Date(untilMs).toISOString()}`);
  }

  #warnOfExpiry(): void {
    const nowMs = Date.now();
    if (nowMs - this.#warnedMs < dayMs) return;
    this.#warnedMs = nowMs;
    for (const { source, untilMs } of this.#pairs) {
      if (untilMs - nowMs > warnBeforeMs) continue;
      const when = new Date(untilMs).toISOString();
      this.#log(untilMs < nowMs ? `${source} has expired on ${when}` : `${source} expires on ${when}`);
    }
  }

  #setDefault(server: Server): void {
    const pair = this.#names.default;
    if (pair !== null) server.setSecureContext({ cert: pair.cert, key: pair.key, minVersion });
  }
}

/** A file that is there. */
type ListedFile = {
  readonly path: string;
  /** Changes with the file. */
  readonly print: string;
  readonly mode: number;
  readonly bytes: number;
  /** Why it is not read; null: nothing is known against it. */
  readonly problem: string | null;
};

/** The files at paths, two folders deep; without those that do not exist. Names that begin with a dot are left out. */
function listFiles(paths: readonly string[]): readonly ListedFile[] {
  const listed: ListedFile[] = [];
  const visit = (path: string, depth: number): void => {
    if (listed.length >= maxFiles) return;
    const stat = statOf(path);
    if (stat === undefined) return;
    if (stat instanceof Error) {
      const { message } = stat;
      listed.push({ path, mode: 0, bytes: 0, print: message, problem: message });
      return;
    }
    if (stat.isDirectory()) {
      if (depth > 0)
        for (const name of namesIn(path)) if (!name.startsWith(".")) visit(join(path, name), depth - 1);
      return;
    }
    const { mode, size, ino, mtimeMs, ctimeMs } = stat;
    // Reading a pipe would wait for its writer.
    const problem = stat.isFile() ? null : "it is no regular file";
    listed.push({ path, mode, bytes: size, print: [ino, size, mtimeMs, ctimeMs, mode].join(), problem });
  };
  for (const path of paths) visit(path, 2);
  return listed.sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** Undefined: there is nothing. An error, such as of links in a circle, is a problem of this path alone. */
function statOf(path: string): Stats | Error | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return error as Error;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readFiles(listed: readonly ListedFile[]) {
  const files: PemFile[] = [];
  const problems: PemProblem[] = [];
  for (const { path, mode, bytes, problem } of listed) {
    if (problem !== null) {
      problems.push({ path, why: problem });
      continue;
    }
    if (bytes > maxPemBytes) continue;
    try {
      files.push({ path, mode, text: readFileSync(path, "utf8") });
    } catch (error) {
      problems.push({ path, why: (error as Error).message });
    }
  }
  return { files, problems };
}
