// Which certificates a set of PEM files has, each with its key, and why others are not used.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** A file that was read. */
export type PemFile = {
  readonly path: string;
  readonly text: string;
  /** The permission bits. */
  readonly mode: number;
};

/** A certificate with its key. */
export type CertificatePair = {
  /** The path of the certificate's file. */
  readonly source: string;
  /** PEM: the certificate and the chain behind it. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** Lower case; a wildcard is `*.example.com`. */
  readonly names: readonly string[];
  /** The times between which it is valid, epoch milliseconds. */
  readonly fromMs: number;
  readonly untilMs: number;
};

/** Why a file is not used. */
export type PemProblem = { readonly path: string; readonly why: string };

export type ReadPairs = {
  /** In the order of their paths. */
  readonly pairs: readonly CertificatePair[];
  /** The paths of certificates that another file has as well, with the chain behind it. */
  readonly repeated: ReadonlySet<string>;
  readonly problems: readonly PemProblem[];
};

const readableByOthers = 0o004;

/**
 * Reads the pairs of all files together. A key belongs to the certificate with its public key, whatever the names of
 * the files: `site.crt` and `site.key`, `live/site/fullchain.pem` and `privkey.pem`, or one file with both. Files
 * without PEM, and those of authorities, are left out without a problem.
 *
 * @param nowMs epoch milliseconds
 */
export function readPairs(files: readonly PemFile[], nowMs: number): ReadPairs {
  const problems: PemProblem[] = [];
  const keys: FoundKey[] = [];
  const certificates: FoundCertificate[] = [];
  for (const file of [...files].sort((one, other) => (one.path < other.path ? -1 : 1))) {
    try {
      const found = readPem(file);
      if (found.key !== null) keys.push(found.key);
      if (found.certificate !== null) certificates.push(found.certificate);
    } catch (error) {
      problems.push({ path: file.path, why: (error as Error).message });
    }
  }
  const pairs: CertificatePair[] = [];
  const used = new Set<FoundKey>();
  const longest = longestChains(certificates);
  for (const certificate of longest) {
    const key = keys.find(({ object }) => certificate.leaf.checkPrivateKey(object));
    if (key !== undefined) used.add(key);
    // A file with the chain alone, or a test certificate without its key.
    if (key === undefined && certificate.leaf.ca && certificates.length > 1) continue;
    const read = readPair(certificate, key, nowMs);
    if ("why" in read) problems.push(read);
    else pairs.push(read);
  }
  for (const key of keys)
    if (!used.has(key)) problems.push({ path: key.path, why: "no certificate here belongs to this key" });
  const repeated = new Set(certificates.filter((one) => !longest.includes(one)).map(({ path }) => path));
  return { pairs, repeated, problems };
}

type FoundKey = { readonly path: string; readonly text: string; readonly object: KeyObject };
type FoundCertificate = {
  readonly path: string;
  readonly text: string;
  readonly leaf: X509Certificate;
  /** The number of certificates in the file. */
  readonly length: number;
};

type FoundPem = { readonly key: FoundKey | null; readonly certificate: FoundCertificate | null };

/** @throws Error with the reason why the file cannot be used */
function readPem({ path, text, mode }: PemFile): FoundPem {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g)];
  if (blocks.length === 0 && text.includes("-----BEGIN ")) throw new Error("it is cut off, or not PEM");
  const ofType = (type: RegExp): readonly string[] =>
    blocks.filter(([, name = ""]) => type.test(name)).map(([block]) => block);
  const [keyText] = ofType(/PRIVATE KEY$/);
  const chain = ofType(/^(X509 |TRUSTED )?CERTIFICATE$/);
  if (keyText !== undefined && (mode & readableByOthers) !== 0)
    throw new Error("every user of this machine can read its key: chmod o= it, and replace the certificate");
  const key = keyText === undefined ? null : { path, text: keyText, object: readKey(keyText) };
  const [first] = chain;
  if (first === undefined) return { key, certificate: null };
  const leaf = readCertificate(first);
  return { key, certificate: { path, text: chain.join("\n"), leaf, length: chain.length } };
}

function readKey(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const isEncrypted = text.includes("ENCRYPTED");
    throw new Error(
      isEncrypted
        ? "its key is encrypted: store it without a passphrase, for its owner only"
        : `its key cannot be read: ${(error as Error).message}`,
    );
  }
}

function readCertificate(text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new Error(`its certificate cannot be read: ${(error as Error).message}`);
  }
}

/** One of each certificate: of certbot's cert.pem and fullchain.pem the one with the chain. */
function longestChains(certificates: readonly FoundCertificate[]): readonly FoundCertificate[] {
  const byPrint = new Map<string, FoundCertificate>();
  for (const certificate of certificates) {
    const print = certificate.leaf.fingerprint256;
    const other = byPrint.get(print);
    if (other === undefined || other.length < certificate.length) byPrint.set(print, certificate);
  }
  return [...byPrint.values()];
}

function readPair(
  { path, text, leaf }: FoundCertificate,
  key: FoundKey | undefined,
  nowMs: number,
): CertificatePair | PemProblem {
  const [fromMs, untilMs] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  const names = namesOf(leaf);
  const clock = `this machine's clock says ${timeText(nowMs)}`;
  if (key === undefined) return { path, why: "no key here belongs to this certificate" };
  if (nowMs > untilMs) return { path, why: `it has expired on ${timeText(untilMs)}; ${clock}` };
  if (nowMs < fromMs) return { path, why: `it is not valid before ${timeText(fromMs)}; ${clock}` };
  if (names.length === 0) return { path, why: "it is for no name: it has neither DNS nor IP entries" };
  return { source: path, cert: text, key: key.text, names, fromMs, untilMs };
}

/** The DNS names and IP addresses of the subjectAltName; of a certificate without one, its common name. */
function namesOf({ subjectAltName, subject }: X509Certificate): readonly string[] {
  const names = [...(subjectAltName ?? "").matchAll(/(?:DNS|IP Address):([^,\s"]+)/g)].map(
    ([, name]) => name,
  );
  const common = /^CN=(\S+)$/m.exec(subject)?.[1];
  const all = names.length > 0 || common === undefined ? names : [common];
  return all.map((name = "") => name.toLowerCase());
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** What the files at the paths of certificates have now. */
export type FoundPairs = Pick<ReadPairs, "pairs" | "repeated"> & {
  /** True if a file is still there. */
  readonly isThere: (path: string) => boolean;
};

/** Of the certificates in use those whose file is still there, but cannot be used any more. */
export function unusable<Used extends Pick<CertificatePair, "source">>(
  used: readonly Used[],
  { pairs, repeated, isThere }: FoundPairs,
): readonly Used[] {
  const sources = new Set(pairs.map(({ source }) => source));
  return used.filter(({ source }) => !sources.has(source) && !repeated.has(source) && isThere(source));
}

/** The pairs to use after files have changed: those that were read, and those in use that cannot be read any more. */
export function withKeptPairs(
  found: FoundPairs,
  previous: readonly CertificatePair[],
): readonly CertificatePair[] {
  const all = [...found.pairs, ...unusable(previous, found)];
  return all.sort((one, other) => (one.source < other.source ? -1 : 1));
}

/** Certificates by the name that a client asks for. */
export class CertificateNames<Pair extends Pick<CertificatePair, "names" | "fromMs">> {
  readonly #byName = new Map<string, Pair>();
  /** For clients that name no host, or one without a certificate. */
  readonly default: Pair | null;

  /** Of several for one name, the one that is valid since the latest time counts. */
  constructor(pairs: readonly Pair[]) {
    for (const pair of pairs) {
      for (const name of pair.names) {
        const other = this.#byName.get(name);
        if (other === undefined || other.fromMs < pair.fromMs) this.#byName.set(name, pair);
      }
    }
    const [first] = pairs;
    // A renewed one beside it replaces it.
    this.default = first === undefined ? null : (this.#byName.get(first.names[0] ?? "") ?? first);
  }

  /** Those that clients can get: of several for the same names only the last one. */
  get chosen(): ReadonlySet<Pair> {
    const chosen = new Set(this.#byName.values());
    if (this.default !== null) chosen.add(this.default);
    return chosen;
  }

  /** The certificate with exactly this name, else one whose wildcard stands for its first label (RFC 6125 §6.4.3). */
  find(name: string): Pair | null {
    const lower = name.toLowerCase().replace(/\.$/, "");
    const wildcard = `*${lower.slice(Math.max(0, lower.indexOf(".")))}`;
    return this.#byName.get(lower) ?? this.#byName.get(wildcard) ?? null;
  }
}
