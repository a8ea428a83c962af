// `--ca FILE`: certificates that this machine trusts besides the public authorities, for the control URL and for
// the gateways of nodes.

import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
// A named import does not see what src/package/older-node.ts adds.
import tls from "node:tls";
import { readFailure } from "../os/files.ts";
import { usageError } from "./errors.ts";

export const caFlag = [
  "--ca <file>",
  "PEM certificates to trust besides the public ones: an authority of yours, or a gateway's own",
] as const;

const pemBegin = "-----BEGIN CERTIFICATE-----";
const pemEnd = "-----END CERTIFICATE-----";

/**
 * Trusts the certificates of a file in this process, and in those that it starts: Node reads the one file of the
 * variable NODE_EXTRA_CA_CERTS, and Miniflare hands its certificates to workerd. If the variable names another
 * file, both are copied into one in the state folder.
 *
 * @param file absent: nothing changes
 * @throws CliError if a file cannot be read or has no certificate
 */
export function trustCertificates(file: string | undefined, stateDir: string): void {
  if (file === undefined) return;
  const certificates = readCertificates("--ca", file);
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...certificates]);
  const before = process.env.NODE_EXTRA_CA_CERTS;
  if (before === undefined) {
    process.env.NODE_EXTRA_CA_CERTS = resolve(file);
    return;
  }
  const both = [...readCertificates("NODE_EXTRA_CA_CERTS", before), ...certificates];
  const path = resolve(join(stateDir, "trusted.pem"));
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeFileSync(path, `${both.join("\n")}\n`, { mode: 0o600 });
  process.env.NODE_EXTRA_CA_CERTS = path;
}

function readCertificates(source: string, file: string): readonly string[] {
  try {
    const [, ...parts] = readFileSync(file, "utf8").split(pemBegin);
    if (parts.length === 0) throw new Error("it has no PEM certificate (BEGIN CERTIFICATE)");
    return parts.map((part) =>
      new X509Certificate(pemBegin + textBefore(part, pemEnd) + pemEnd).toString().trim(),
    );
  } catch (error) {
    throw usageError(`cannot use ${source} ${file}: ${readFailure(error as Error)}`);
  }
}

/** @throws Error if `text` has no `mark` */
function textBefore(text: string, mark: string): string {
  const at = text.indexOf(mark);
  if (at === -1) throw new Error(`a certificate in it has no ${mark}`);
  return text.slice(0, at);
}
