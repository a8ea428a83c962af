// Certificates by ACME: an authority (pebble), the client of docs/self-host.md (lego) on the control machine, and two
// balancers, each machine a network namespace.

import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { holderOf } from "../../src/local/reload-file.ts";
import { TestAuthority } from "../support/certificate.ts";
import type { HandoverCounts } from "../support/handover-load.ts";
import { newStateDir } from "../support/mesh-process.ts";
import { Network, namespaceProblem } from "../support/namespaces.ts";
import { parsePage } from "../support/pages.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const missing = missingPrograms(["lego", "pebble", "pebble-challtestsrv", "rsync"]);
const problem =
  missing.length > 0 ? `no ${missing.join(", ")}; apt-get install lego pebble rsync` : namespaceProblem();
const reason = problem === null ? "" : ` (skipped: ${problem})`;
const support = (name: string) => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
const hook = fileURLToPath(new URL("../../infra/self-host/copy-certificates.sh", import.meta.url));
const page = readFileSync(new URL("../../docs/self-host.md", import.meta.url), "utf8");
const commands = parsePage("docs/self-host.md", page)
  .blocks.filter(({ runBy }) => runBy === "test/system/acme.test.ts")
  .flatMap((block) => block.commands.map(({ text }) => text));

const names = ["www.example.com", "example.com"];
const ports = { http: 9091, tcp: 9201, tls: 443 } as const;

describe.skipIf(problem !== null)(`certificates by ACME${reason}`, () => {
  const folder = newStateDir();
  const path = (...parts: string[]) => join(folder, ...parts);
  const balancers = ["lb1", "lb2"] as const;
  const acme = path("acme");
  const rootFile = path("root.pem");
  let network: Network;
  let authority: TestAuthority;
  const waggle = (...args: string[]) => network.waggle("control", "--state", path("control"), ...args);

  /** Runs a command of the page on the control machine, where the group `waggle` exists. */
  function runCommand(command: string, extra: (text: string) => string = (text) => text): Promise<string> {
    const server = `https://${network.address("ca")}:14000/dir`;
    const own = command
      .replaceAll("10.0.0.1", network.address("control"))
      .replaceAll("/etc/waggle/acme", acme)
      .replaceAll("/usr/local/bin/waggle-copy-certificates", hook)
      .replace(/^lego /, `lego --server ${server} `);
    const targets = balancers.map((name) => `${path(name, "tls")}/`).join(" ");
    const script = [
      `mount --bind ${path("group")} /etc/group`,
      `export LEGO_CA_CERTIFICATES=${authority.certFile} WAGGLE_BALANCERS="${targets}"`,
      extra(own),
    ].join("\n");
    return network.run("control", "unshare", "--mount", "sh", "-ec", script);
  }

  /** The serial number of the certificate that a balancer serves for a name; null if it serves no valid one. */
  async function served(balancer: string, name: string): Promise<string | null> {
    const place = `${name}:443:${network.address(balancer)}`;
    const curl = ["-s", "-m", "5", "--cacert", rootFile, "--resolve", place, "-w", "%{http_code}%{certs}"];
    const text = await network
      .run("control", "curl", ...curl, "-o", "/dev/null", `https://${name}/`)
      .catch(() => "");
    return text.startsWith("200") ? new X509Certificate(text.slice(3)).serialNumber : null;
  }

  async function everywhere(serial: string): Promise<boolean> {
    const all = await Promise.all(balancers.flatMap((at) => names.map((name) => served(at, name))));
    return all.every((found) => found === serial);
  }

  const issued = () =>
    new X509Certificate(readFileSync(join(acme, "certificates", "www.example.com.crt"))).serialNumber;

  /** The processes of a balancer: the one that holds the sockets, and the one below it. */
  function processesOf(name: string): string {
    const pid = holderOf(path(name, "state"));
    return `${pid} ${readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()}`;
  }

  /** Starts the authority, and its name server, by which the names lead to both balancers. */
  async function startAuthority(): Promise<void> {
    const at = network.address("ca");
    const { certFile: certificate, keyFile: privateKey } = authority.sign("pebble", `IP:${at}`);
    const pebble = {
      listenAddress: `${at}:14000`,
      managementListenAddress: `${at}:15000`,
      certificate,
      privateKey,
      httpPort: 80,
      tlsPort: 443,
      retryAfter: { authz: 1, order: 1 },
    };
    writeFileSync(path("pebble.json"), JSON.stringify({ pebble }));
    const noServers = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
    const dns = ["-dns01", `${at}:8053`, "-management", `${at}:8055`];
    await network.startProgram("ca", ["pebble-challtestsrv", ...dns, ...noServers]).prints("management");
    const settings = ["PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0"];
    const command = [
      "env",
      ...settings,
      "pebble",
      "-config",
      path("pebble.json"),
      "-dnsserver",
      `${at}:8053`,
    ];
    await network.startProgram("ca", command).prints("ACME directory available");
    const addresses = balancers.map((name) => network.address(name));
    for (const host of names)
      await network.run("ca", "curl", "-sSf", "-d", JSON.stringify({ host, addresses }), `${at}:8055/add-a`);
    const root = await network.run("ca", "curl", "-sSfk", `https://${at}:15000/roots/0`);
    writeFileSync(rootFile, root);
  }

  beforeAll(async () => {
    network = new Network(["control", ...balancers, "ca"]);
    authority = new TestAuthority(folder);
    const { certFile, keyFile } = authority.sign("mesh", `IP:${network.address("control")}`);
    mkdirSync(path("tls"));
    for (const file of [certFile, keyFile]) renameSync(file, path("tls", file.split("/").at(-1) ?? ""));
    writeFileSync(path("group"), `${readFileSync("/etc/group", "utf8")}waggle:x:40000:\n`);
    const control = network.start("control", ["control", "--tls", path("tls"), "--state", path("control")]);
    await Promise.all([startAuthority(), control.prints("A balancer: waggle edge --join")]);
    const token = (await waggle("join-token", "-q")).trim();
    for (const name of balancers) {
      mkdirSync(path(name, "tls"), { recursive: true });
      const own = ["--name", name, "--state", path(name, "state"), "--tls", path(name, "tls")];
      const url = `https://${network.address("control")}:2377`;
      const common = ["--port", "80", "--redirect-http", "--ca", authority.certFile, "--join", token];
      network.start(name, ["edge", url, ...own, ...common]);
    }
    const server = `${network.address("control")}:7000`;
    const backend = [process.execPath, support("handover-backend.ts"), ...server.split(":")];
    await network.startProgram("control", backend).prints("listening");
    const hosts = ["back.test", ...names].join(",");
    await waggle("server", "add", "back", "s1", server, "-p", `${ports.http}`, "-l", `waggle.host=${hosts}`);
    await waggle("server", "add", "backtcp", "s1", server, "-p", `${ports.tcp}`, "-l", "waggle.mode=tcp");
    await until(
      "both balancers",
      async () => (await waggle("node", "ls")).match(/no file was found/g)?.length === 2,
      {
        withinMs: 40_000,
      },
    );
  }, 120_000);

  afterAll(async () => {
    await network?.remove();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("[U550] the page's client gets a certificate through the mesh, which both balancers serve", async () => {
    const [addServer = "", run = ""] = commands;
    await waggle(...addServer.replaceAll("10.0.0.1", network.address("control")).split(" ").slice(1));
    // Another service of the name answers until then; nothing listens at the client's port yet.
    const challenge = (name: string) => `http://${network.address(name)}/.well-known/acme-challenge/x`;
    const isRouted = async (name: string) =>
      (await network.request("ca", challenge(name), "host: www.example.com")).status === 502;
    for (const name of balancers) await until(`the route at ${name}`, () => isRouted(name));
    await runCommand(run);
    const serial = issued();
    await until("both balancers to serve it", () => everywhere(serial), { withinMs: 5_000 });
    const key = statSync(path("lb2", "tls", "www.example.com.key"));
    expect([key.mode & 0o777, key.gid]).toEqual([0o640, 40_000]);
  }, 60_000);

  test("[U550] both balancers serve its renewal, without a restart or a failed request", async () => {
    const [first, before] = [issued(), balancers.map(processesOf)];
    const load = balancers.map((name) => {
      const numbers = [...Object.values(ports), 8, 30].map(String);
      const args = [network.address(name), ...numbers, rootFile, "www.example.com"];
      return network.run("control", process.execPath, support("handover-load.ts"), ...args);
    });
    const renew = commands[2] ?? "";
    await runCommand(renew, (text) => text.replace(" renew ", " renew --days 99999 --no-random-sleep "));
    const second = issued();
    expect(second).not.toBe(first);
    await until("both balancers to serve it", () => everywhere(second), { withinMs: 5_000 });
    for (const text of await Promise.all(load)) {
      const { sent, failures } = JSON.parse(text) as HandoverCounts;
      expect({ isLoaded: sent > 200, failures }).toEqual({ isLoaded: true, failures: {} });
    }
    expect(balancers.map(processesOf)).toEqual(before);
  }, 60_000);
});
