import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { addressLines } from "../../../src/local/control.ts";
import { requireStartable } from "../../../src/local/mesh.ts";
import { selfSignedCertificate } from "../../support/certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-control-"));
afterAll(() => rmSync(folder, { recursive: true }));

const mesh = { control: "http://127.0.0.1:8787", origin: { kind: "new" } } as const;
const plane = { secured: null };

test("[U503] a log gets the command that creates a sign-in link, and a terminal the link", () => {
  const lines = (link: string | null) => addressLines(mesh, plane, "/var/lib/my mesh", "waggle", link);
  expect(lines(null)).toContain(
    "Dashboard: `waggle --state '/var/lib/my mesh' dashboard` prints a link that signs you in",
  );
  const link = "http://control.localhost:8787/dashboard/sign-in?code=c";
  expect(lines(link)).toContain(`Dashboard: ${link}`);
});

test("[U551] a control plane that cannot use a certificate which is in use does not start", () => {
  const { cert, key } = selfSignedCertificate();
  writeFileSync(join(folder, "good.pem"), cert + key, { mode: 0o600 });
  const bad = join(folder, "bad.pem");
  const used = [{ source: bad, names: ["mesh.example.com"] }];
  const secured = { address: "127.0.0.1", port: 0, paths: [folder] };
  const start = (): void => requireStartable({ secured }, {}, used);
  start();
  writeFileSync(bad, cert.slice(0, 99));
  expect(start).toThrow(/bad\.pem, the certificate in use for mesh\.example\.com: it is cut off, or not PEM/);
});

test("[U547] the commands in a log name the state folder", () => {
  const secured = { address: "192.0.2.1", port: 2377, paths: [] };
  expect(addressLines(mesh, { secured }, "/var/lib/waggle", "waggle", null)).toContain(
    'A balancer: waggle edge --join "$(waggle --state /var/lib/waggle join-token -q)" https://192.0.2.1:2377',
  );
});
