// The certificates of a machine's listeners: read from files, read again when those change, and given to each TLS
// handshake by the name that the client asks for.

import { dirname } from "node:path";
import { createSecureContext, type SecureContext, type Server } from "node:tls";
import type { StateFile } from "../state-file.ts";
import {
  CertificateNames,
  type CertificatePair,
  type FoundPairs,
  type PemProblem,
  readPairs,
  unusable,
  withKeptPairs,
} from "./certificate-pairs.ts";
import { isListed, listPemFiles, readPemFiles } from "./pem-files.ts";
import type { ServerTls } from "./server-tls.ts";
import type { UsedCertificate } from "./used-certificates.ts";

/** How often the files are looked at, milliseconds. Watching them does not show a link that leads elsewhere. */
const filesPollMs = 1_000;

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
  #found: FoundPairs = { pairs: [], repeated: new Set(), isThere: () => false };
  #record: StateFile | null = null;
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

  /** Records the certificates in use, now and each time they change. */
  recordIn(record: StateFile): void {
    this.#record = record;
    this.#writeRecord();
  }

  /**
   * Why a certificate cannot be used that another process has in use, and what to do; null if each can, or its file is
   * gone.
   *
   * @see docs/decisions/0131-no-certificate-is-lost-at-a-reload.md
   */
  lossOf(used: readonly UsedCertificate[]): string | null {
    const [first, ...others] = unusable(used, this.#found);
    if (first === undefined) return null;
    const { source, names } = first;
    // Its key may be in another file.
    const near = this.#problems.filter(({ path }) => dirname(path) === dirname(source) && path !== source);
    const reasons = [whyUnusable(source, this.#problems), ...near.map(({ path, why }) => `${path}: ${why}`)];
    const more = others.length === 0 ? "" : `, and ${others.length} more in use`;
    const what = `${source}, the certificate in use for ${listText(names)}${more}`;
    return `cannot use ${what}: ${reasons.slice(0, 2).join("; ")}; repair the file, or remove it to give up its names`;
  }

  /** Ends following the files and recording the certificates. */
  close(): void {
    clearInterval(this.#watch);
    this.#record?.close();
    this.#record = null;
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
    const listed = listPemFiles(this.#paths);
    const print = listed.map(({ path, print: text }) => `${path} ${text}`).join("\n");
    this.#warnOfExpiry();
    if (print === this.#print) return;
    this.#print = print;
    const { files, problems } = readPemFiles(listed);
    const read = readPairs(files, Date.now());
    const usable = this.#withContexts(read.pairs);
    this.#found = { ...read, pairs: usable.pairs, isThere: (path) => isListed(path, listed) };
    const pairs = withKeptPairs(this.#found, this.#pairs) as readonly UsedPair[];
    this.#report(pairs, [...problems, ...read.problems, ...usable.problems]);
    this.#pairs = pairs;
    this.#names = new CertificateNames(pairs);
    this.#unknownNames.clear();
    this.#writeRecord();
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

  /** An expired file beside the one that replaced it is no loss. */
  #writeRecord(): void {
    this.#record?.write([...this.#names.chosen].map(({ source, names }) => ({ source, names })));
  }

  #report(pairs: readonly UsedPair[], found: readonly PemProblem[]): void {
    const kept = unusable(this.#pairs, this.#found).map(({ source }) => source);
    const silent = kept.filter((source) => !found.some(({ path }) => path === source));
    const problems = [...found, ...silent.map((path) => ({ path, why: whyUnusable(path, found) }))];
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

function whyUnusable(source: string, problems: readonly PemProblem[]): string {
  return problems.find(({ path }) => path === source)?.why ?? "it has no certificate any more";
}

/** A certificate may have a hundred names. */
const maxListedNames = 5;

function listText(names: readonly string[]): string {
  const more = names.length - maxListedNames;
  return names.slice(0, maxListedNames).join(", ") + (more > 0 ? ` and ${more} more names` : "");
}
