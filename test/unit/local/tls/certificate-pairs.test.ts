import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  CertificateNames,
  type CertificatePair,
  type PemFile,
  readPairs,
  unusable,
  withKeptPairs,
} from "../../../../src/local/tls/certificate-pairs.ts";
import { TestAuthority } from "../../../support/certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-pairs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const authority = new TestAuthority(folder);
const read = (path: string): string => readFileSync(path, "utf8");
const www = authority.sign("www", "DNS:www.test,DNS:WWW2.test");
const other = authority.sign("other", "DNS:*.apps.test,IP:192.0.2.1");
const chain = read(authority.certFile);
const dayMs = 86_400_000;
const nowMs = Date.now() + 3_600_000;

const file = (path: string, text: string, mode = 0o600): PemFile => ({ path, text, mode });
const namesOf = (files: readonly PemFile[]) =>
  readPairs(files, nowMs).pairs.map(({ source, names }) => `${source}: ${names.join(" ")}`);
const problemsOf = (files: readonly PemFile[], atMs = nowMs) =>
  readPairs(files, atMs).problems.map(({ path, why }) => `${path}: ${why}`);

test.each([
  ["files of one name", [file("a.crt", read(www.certFile)), file("a.key", read(www.keyFile))], "a.crt"],
  [
    "certbot's folder",
    [
      file("www/cert.pem", read(www.certFile)),
      file("www/chain.pem", chain),
      file("www/fullchain.pem", read(www.certFile) + chain),
      file("www/privkey.pem", read(www.keyFile)),
      file("README", "the keys of this site"),
    ],
    "www/fullchain.pem",
  ],
  ["HAProxy's one file", [file("www.pem", read(www.certFile) + chain + read(www.keyFile))], "www.pem"],
  [
    "names that say nothing, in another order",
    [file("1", read(www.keyFile)), file("2", `text\n${read(www.certFile)}`)],
    "2",
  ],
] as const)("[U492] a key belongs to the certificate with its public key: %s", (_, files, source) => {
  expect(namesOf(files)).toEqual([`${source}: www.test www2.test`]);
  expect(problemsOf(files)).toEqual([]);
});

test("[U492] two pairs in one folder keep their own keys", () => {
  const files = [www, other].flatMap(({ certFile, keyFile }) => [
    file(certFile, read(certFile)),
    file(keyFile, read(keyFile)),
  ]);
  const { pairs } = readPairs(files, nowMs);
  expect(pairs.map(({ names, key }) => [names.join(), key === read(www.keyFile).trim()])).toEqual([
    ["*.apps.test,192.0.2.1", false],
    ["www.test,www2.test", true],
  ]);
});

test.each([
  ["a certificate without its key", [file("a.crt", read(www.certFile))], /^a\.crt: no key here belongs to/],
  ["a key without its certificate", [file("a.key", read(www.keyFile))], /^a\.key: no certificate here/],
  [
    "a key that every user can read",
    [file("a.crt", read(www.certFile)), file("a.key", read(www.keyFile), 0o644)],
    /^a\.key: every user of this machine can read its key/,
  ],
  ["half a file", [file("a.crt", read(www.certFile).slice(0, 200))], /^a\.crt: it is cut off, or not PEM/],
  [
    "bytes that are no certificate",
    [file("a.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")],
    /^a\.crt: its certificate cannot be read/,
  ],
  [
    "an encrypted key",
    [file("a.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")],
    /^a\.key: its key is encrypted/,
  ],
] as const)("[U494] %s is refused with the reason", (_, files, expected) => {
  expect(namesOf(files)).toEqual([]);
  expect(problemsOf(files)[0]).toMatch(expected);
});

test("[U494] the reason of an expired certificate, or one that is not valid yet, has the time of this machine", () => {
  const files = [file("a.crt", read(www.certFile)), file("a.key", read(www.keyFile))];
  expect(problemsOf(files, nowMs + 3 * dayMs)[0]).toMatch(
    /^a\.crt: it has expired on 20\S+Z; this machine's clock says 20\S+Z$/,
  );
  expect(problemsOf(files, nowMs - 3 * dayMs)[0]).toMatch(
    /^a\.crt: it is not valid before 20\S+Z; this machine's clock says 20\S+Z$/,
  );
});

const pair = (source: string, names: readonly string[], fromMs = 1): CertificatePair => {
  return { source, names, fromMs, untilMs: 9, cert: source, key: "" };
};

test.each([
  ["www.test", "www"],
  ["WWW.test", "www"],
  ["www.test.", "www"],
  ["shop.apps.test", "wild"],
  ["special.apps.test", "special"],
  ["a.b.apps.test", null],
  ["apps.test", null],
  ["test", null],
])("[U493] the certificate for %s is %s: exact names before wildcards of one label", (name, expected) => {
  const pairs = [
    pair("special", ["special.apps.test"]),
    pair("wild", ["*.apps.test"]),
    pair("www", ["www.test"]),
  ];
  expect(new CertificateNames(pairs).find(name)?.source ?? null).toBe(expected);
});

test("[U493] of two certificates for a name the later one counts, also as the default", () => {
  const names = new CertificateNames([pair("a", ["www.test"], 1), pair("b", ["www.test"], 2)]);
  expect([names.find("www.test")?.source, names.default?.source]).toEqual(["b", "b"]);
});

test("[U494] a pair stays in use while its file is there and cannot be used, and goes with its file", () => {
  const before = [pair("a", ["a.test"], 1), pair("b", ["b.test"], 1), pair("c", ["c.test"], 1)];
  const isThere = (path: string): boolean => path !== "c";
  const found = { pairs: [pair("b", ["b.test"], 2)], repeated: new Set<string>(), isThere };
  const kept = withKeptPairs(found, before);
  expect(kept.map(({ source, fromMs }) => [source, fromMs])).toEqual([
    ["a", 1],
    ["b", 2],
  ]);
});

test("[U494] a certificate that another file has with its chain is no certificate that cannot be used", () => {
  const leafAlone = [file("cert.pem", read(www.certFile)), file("www.key", read(www.keyFile))];
  const before = readPairs(leafAlone, nowMs).pairs;
  const withChain = readPairs([...leafAlone, file("full.pem", read(www.certFile) + chain)], nowMs);
  expect(unusable(before, { ...withChain, isThere: () => true })).toEqual([]);
  expect(withKeptPairs({ ...withChain, isThere: () => true }, before).map(({ source }) => source)).toEqual([
    "full.pem",
  ]);
});
