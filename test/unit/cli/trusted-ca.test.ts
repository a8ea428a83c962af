import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { trustCertificates } from "../../../src/cli/trusted-ca.ts";
import { selfSignedCertificate } from "../../support/certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-ca-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("[O252] a file for --ca without a certificate that can be read is refused with the reason", () => {
  const file = join(folder, "ca.pem");
  const broken = selfSignedCertificate().cert.replace(/\n..../, "\nAAAA");
  for (const [text, why] of [
    ["", "it has no PEM certificate"],
    [selfSignedCertificate().key, "it has no PEM certificate"],
    [broken, "asn1"],
  ] as const) {
    writeFileSync(file, text);
    expect(() => trustCertificates(file, folder)).toThrow(`cannot use --ca ${file}: `);
    expect(() => trustCertificates(file, folder)).toThrow(why);
  }
  expect(() => trustCertificates(join(folder, "missing.pem"), folder)).toThrow("there is no such file");
});
