// A certificate authority with a server's and a client's certificate, made by openssl, as files.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/** Paths of PEM files. */
type PemPair = { readonly cert: string; readonly key: string };

export type Certificates = {
  readonly ca: string;
  readonly server: PemPair;
  readonly client: PemPair;
  /** Of another authority. */
  readonly foreign: PemPair;
};

/** Writes the files of a server at 127.0.0.1 into `folder`. */
export function makeCertificates(folder: string): Certificates {
  const openssl = (options: string) =>
    execFileSync("openssl", options.split(" "), { cwd: folder, stdio: "ignore" });
  const pair = (name: string): PemPair => ({
    cert: join(folder, `${name}.pem`),
    key: join(folder, `${name}-key.pem`),
  });
  const selfSigned = (name: string): PemPair => {
    openssl(`req -x509 ${newKey} -days 1 -subj /CN=${name} -keyout ${name}-key.pem -out ${name}.pem`);
    return pair(name);
  };
  const { cert: ca } = selfSigned("ca");
  writeFileSync(
    join(folder, "extensions"),
    "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
  );
  const signed = (name: string): PemPair => {
    openssl(`req ${newKey} -subj /CN=${name} -keyout ${name}-key.pem -out ${name}.csr`);
    openssl(
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 1 -extfile extensions -out ${name}.pem`,
    );
    return pair(name);
  };
  return { ca, server: signed("server"), client: signed("client"), foreign: selfSigned("foreign") };
}
