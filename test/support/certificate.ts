// Certificates, made by openssl.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A key and its certificate for localhost, PEM. */
export function selfSignedCertificate(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "waggle-certificate-"));
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  const options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost";
  const extra = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert];
  execFileSync("openssl", [...options.split(" "), ...extra], { stdio: "ignore" });
  const texts = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(folder, { recursive: true });
  return texts;
}

/** Files of a certificate and its key, PEM. */
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/** An authority in a folder of the test, made by openssl. */
export class TestAuthority {
  readonly #folder: string;
  readonly certFile: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.certFile = join(folder, "authority.pem");
    const subject = ["-subj", "/CN=test authority", "-days", "1"];
    this.#run(["req", "-x509", ...newKey, ...subject, "-keyout", "authority.key", "-out", this.certFile]);
  }

  /** @param names such as `IP:127.0.0.2,DNS:node1.example.com` */
  sign(name: string, names: string): CertificateFiles {
    writeFileSync(join(this.#folder, `${name}.ext`), `subjectAltName=${names}\n`);
    this.#run(["req", ...newKey, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`]);
    const issuer = ["-CA", this.certFile, "-CAkey", "authority.key", "-CAcreateserial", "-days", "1"];
    const extensions = ["-extfile", `${name}.ext`];
    this.#run(["x509", "-req", "-in", `${name}.csr`, ...issuer, ...extensions, "-out", `${name}.pem`]);
    return { certFile: join(this.#folder, `${name}.pem`), keyFile: join(this.#folder, `${name}.key`) };
  }

  #run(args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: this.#folder, stdio: "ignore" });
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
