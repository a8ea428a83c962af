// The authority of a mesh under the platform's rules, and the one certificate of its gateways. On Cloudflare they
// need one that the public trusts.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testZone } from "./platform/test-names.ts";
import { makePrivateFolder } from "./state-folder.ts";

export type TestCertificate = {
  /** PEM certificate of the authority. */
  readonly authority: string;
  /** PEM files of the gateways' certificate and its key. */
  readonly gatewayTls: { readonly certFile: string; readonly keyFile: string };
};

/** Longer than a mesh runs; each start makes another authority. */
const days = "30";
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** Makes them in a folder. @throws Error if openssl is missing or fails */
export function makeTestCertificate(folder: string): TestCertificate {
  makePrivateFolder(folder);
  const run = (...args: readonly string[]): void => {
    try {
      execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    } catch (cause) {
      const { code, stderr } = cause as NodeJS.ErrnoException & { readonly stderr?: Buffer };
      const reason = code === "ENOENT" ? "it is not installed" : String(stderr ?? code).trim();
      throw new Error(`--edge makes certificates with openssl: ${reason}`, { cause });
    }
  };
  const subject = "/CN=waggle test authority";
  run("req", "-x509", ...newKey, "-subj", subject, "-days", days, "-keyout", "ca.key", "-out", "ca.pem");
  writeFileSync(join(folder, "gateway.ext"), `subjectAltName=DNS:*.${testZone}\n`);
  run("req", ...newKey, "-subj", `/CN=*.${testZone}`, "-keyout", "gateway.key", "-out", "gateway.csr");
  const issuer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days];
  run("x509", "-req", "-in", "gateway.csr", ...issuer, "-extfile", "gateway.ext", "-out", "gateway.pem");
  return {
    authority: readFileSync(join(folder, "ca.pem"), "utf8"),
    gatewayTls: { certFile: join(folder, "gateway.pem"), keyFile: join(folder, "gateway.key") },
  };
}
