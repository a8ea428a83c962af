import { expect, test } from "vitest";
import { addressLines } from "../../../src/local/control.ts";

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
