// The units of infra/ under a live systemd: a machine that is control plane, balancer and node, made by the lines of
// docs/self-host.md and docs/install.md from the package of this repository.

import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestAuthority } from "../support/certificate.ts";
import type { HandoverCounts } from "../support/handover-load.ts";
import { buildAgent, pack, repository, userEnvironment } from "../support/installed-package.ts";
import { type PageCommand, parsePage } from "../support/pages.ts";
import { SystemdMachine, systemdProblem } from "../support/systemd-machine.ts";
import { until } from "../support/until.ts";

const selfHostPage = fileURLToPath(new URL("../../docs/self-host.md", import.meta.url));
const installPage = fileURLToPath(new URL("../../docs/install.md", import.meta.url));
const infra = join(repository, "infra");
const backendProgram = fileURLToPath(new URL("../support/handover-backend.ts", import.meta.url));
const loadProgram = fileURLToPath(new URL("../support/handover-load.ts", import.meta.url));

/** An address of the machine besides loopback, at which a static server may be. */
const address = "10.77.1.1";
const ports = { http: 9091, tcp: 9201, tls: 443 } as const;
const units = ["waggle-control", "waggle-edge", "waggle-agent"] as const;
type Unit = (typeof units)[number];

const problem = systemdProblem();
const title = problem === null ? "units under systemd" : `units under systemd (skipped: ${problem})`;

describe.skipIf(problem !== null)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), "waggle-systemd-"));
  let machine: SystemdMachine;
  let authority: TestAuthority;
  let joinToken = "";
  /** The static server of the load. */
  let backend: ChildProcess | null = null;

  const waggle = (args: string) => machine.out(`waggle --state /var/lib/waggle ${args}`);
  const property = async (unit: string, name: string): Promise<string> =>
    (await machine.out(`systemctl show --value -p ${name} ${unit}`)).trim();
  const journal = (unit: string, ...flags: string[]): Promise<string> =>
    machine.out(`journalctl -o cat --no-pager ${flags.join(" ")} -u ${unit}`);

  /** Runs the commands of a section: those of npm and of the repository here, all others on the machine. */
  async function follow(path: string, heading: string): Promise<void> {
    for (const { text } of commandsUnder(path, heading)) await followLine(text);
  }

  async function followLine(text: string): Promise<string> {
    if (text.startsWith("npm install")) return onDisk(join(machine.root, "root"), text);
    if (/^(?:npx|node_modules)\b/.test(text)) return onDisk(repository, text);
    return machine.out(text, 180_000);
  }

  /** Runs a line with the network of the tests, and the machine's /opt. */
  function onDisk(cwd: string, line: string): string {
    const env = cwd === repository ? process.env : userEnvironment(folder);
    const script = `mount --bind "$0/opt" /opt && ${line}`;
    return execFileSync("unshare", ["--mount", "sh", "-c", script, machine.root], {
      cwd,
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  const file = (path: string, text: string): void =>
    writeFileSync(join(machine.root, path), text, { mode: 0o600 });

  /** The processes of a unit below its main process, with their names. */
  async function processesOf(
    unit: Unit,
  ): Promise<readonly { readonly pid: string; readonly name: string }[]> {
    const main = await property(unit, "MainPID");
    const listed = await machine.out(
      `for pid in $(cat /sys/fs/cgroup/system.slice/${unit}.service/cgroup.procs); do echo $pid $(cat /proc/$pid/comm); done`,
    );
    return listed
      .trim()
      .split("\n")
      .map((line) => ({ pid: line.split(" ")[0] ?? "", name: line.split(" ")[1] ?? "" }))
      .filter(({ pid }) => pid !== main);
  }

  const isServed = async (): Promise<boolean> =>
    (await machine.run(`curl -sf -m 5 http://127.0.0.1:${ports.http}/`)).out === "ok\n";

  beforeAll(async () => {
    machine = await SystemdMachine.boot(
      folder,
      "127.0.0.1 localhost\n127.0.0.1 mesh.example.com node1.example.com www.example.com\n",
    );
    await machine.out(`ip addr add ${address}/32 dev lo`);
    const home = join(machine.root, "root");
    copyFileSync(pack(folder), join(home, "waggle-0.1.0.tgz"));
    copyFileSync(join(home, "waggle-0.1.0.tgz"), join(home, "waggle-0.2.0.tgz"));
    buildAgent(home);
    copyFileSync(join(infra, "agent/waggle-agent.service"), join(home, "waggle-agent.service"));
    authority = new TestAuthority(folder);
    const { certFile, keyFile } = authority.sign(
      "mesh",
      "DNS:mesh.example.com,DNS:www.example.com,DNS:www.test",
    );
    renameSync(certFile, join(home, "mesh.example.com.crt"));
    renameSync(keyFile, join(home, "mesh.example.com.key"));
    mkdirSync(join(machine.root, "etc/waggle"));
    copyFileSync(authority.certFile, join(machine.root, "etc/waggle/authority.pem"));
  }, 180_000);

  afterAll(async () => {
    backend?.kill("SIGKILL");
    await machine?.remove();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("[U541] the lines of the pages start a control plane, a balancer and a node, each by its unit", async () => {
    for (const { text } of commandsUnder(selfHostPage, "## Set it up")) {
      const out = await followLine(text);
      if (text.endsWith("join-token -q")) {
        joinToken = out.trim();
        const joining = `WAGGLE_CONTROL=https://mesh.example.com:2377\nWAGGLE_JOIN_TOKEN=${joinToken}\n`;
        const trust = "WAGGLE_OPTIONS=--ca /etc/waggle/authority.pem";
        const leaving = "--drain-timeout 1s";
        file("etc/waggle/edge.env", `${joining}${trust} --name lb1-edge\n`);
        file(
          "root/agent.env",
          `${joining}WAGGLE_ADDRESS=node1.example.com\n${trust} --name node1 ${leaving}\n`,
        );
      }
    }
    expect(joinToken).toMatch(/^SWMTKN-1-/);
    await machine.out("cd /root");
    // One user is enough for a machine with several roles.
    for (const { text } of commandsUnder(installPage, "## Under systemd"))
      if (!text.startsWith("useradd")) await followLine(text);

    await waggle(
      "service create --name web --replicas 2 -p 8080:80 --label waggle.host=www.example.com waggle/whoami",
    );
    expect(await machine.out("curl -sf http://127.0.0.1:8080/")).toContain("service: web");
    const secured = await machine.out("curl -sf --cacert /etc/waggle/authority.pem https://www.example.com/");
    expect(secured).toContain("x-forwarded-proto: https");
    expect(await machine.out("curl -s -o /dev/null -w '%{redirect_url}' http://www.example.com/a")).toBe(
      "https://www.example.com/a",
    );
    await until("the ports", async () => /lb1-edge +Ready .*3 ports open/.test(await waggle("node ls")));
    expect(await waggle("node ls")).toMatch(/node1 +Ready +Active/);
  }, 180_000);

  test("[U541] the units run as the user waggle, whose state folders other users cannot read", async () => {
    const owners = await machine.out(
      "stat -c '%a %U %n' /var/lib/waggle /var/lib/waggle-edge /var/lib/waggle-agent",
    );
    expect(owners.trim().split("\n")).toEqual([
      "700 waggle /var/lib/waggle",
      "700 waggle /var/lib/waggle-edge",
      "700 waggle /var/lib/waggle-agent",
    ]);
    expect(await machine.out("find /var/lib/waggle* -perm /077")).toBe("");
    expect(
      await machine.out("ps -eo user:9=,args= | grep -v grep | grep /opt/waggle | cut -c1-9 | sort -u"),
    ).toBe("waggle   \n");
  });

  test("[U110] the exposure of the running units is below 3.0", async () => {
    for (const unit of units) {
      const report = await machine.out(`systemd-analyze security ${unit}`);
      expect(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1]), report).toBeLessThan(3);
    }
  });

  test("[U540] workerd ends with its parent, under the filter of system calls of its unit", async () => {
    for (const unit of ["waggle-control", "waggle-edge"] as const) {
      const before = await processesOf(unit);
      const workerd = before.find(({ name }) => name === "workerd")?.pid;
      const parent = (await machine.out(`ps -o ppid= -p ${workerd}`)).trim();
      const supervisor = (await machine.out(`ps -o ppid= -p ${parent}`)).trim();
      // The supervisor is stopped, so that only the kernel can end workerd.
      await machine.out(`kill -STOP ${supervisor}; kill -KILL ${parent}`);
      await until("workerd to end", async () => (await machine.run(`kill -0 ${workerd}`)).code !== 0);
      await machine.out(`kill -CONT ${supervisor}`);
    }
    await until(
      "the balancer",
      async () => (await machine.run("curl -sf http://127.0.0.1:8080/")).code === 0,
    );
    await until(
      "the control plane",
      async () => (await machine.run("waggle --state /var/lib/waggle node ls")).code === 0,
    );
  }, 180_000);

  test("[U540] a filter of system calls that refuses setpriv does not keep workerd from starting", async () => {
    const filter = "-p SystemCallFilter=~capset -p SystemCallErrorNumber=EPERM";
    const variables = "-E WAGGLE_WORKERD=/usr/bin/echo -E WAGGLE_WORKERD_PARENT=1 -E WAGGLE_DATABASE_LOCK=";
    const run = (command: string) =>
      machine.run(`systemd-run --wait --pipe --quiet ${filter} ${variables} ${command}`);
    expect((await run("setpriv --pdeathsig KILL true")).code).not.toBe(0);
    const launcher = "/opt/waggle/lib/node_modules/waggle/dist/workerd.sh";
    expect((await run(`${launcher} serve`)).out).toBe("serve\n");
  });

  test("[U542] a reload under load loses no request, and keeps the main process", async () => {
    backend = machine.startInNetwork(process.execPath, backendProgram, address, "7000");
    if (backend.stdout !== null) await once(backend.stdout, "data");
    await waggle(`server add back s1 ${address}:7000 -p ${ports.http} -l waggle.host=back.test`);
    await waggle(`server add backtcp s1 ${address}:7000 -p ${ports.tcp} -l waggle.mode=tcp`);
    await until("the server", isServed, { withinMs: 20_000 });
    const before = await Promise.all(units.map((unit) => property(unit, "MainPID")));
    const numbers = [...Object.values(ports), 14, 60].map(String);
    const args = [address, ...numbers, authority.certFile, "www.test"];
    const load = machine.inNetwork(process.execPath, loadProgram, ...args);
    await machine.out("cd /root");
    await follow(selfHostPage, "## Upgrade");
    const counts = JSON.parse(await load) as HandoverCounts;
    console.log(`reloads by systemctl: ${JSON.stringify(counts)}`);
    expect(counts.sent).toBeGreaterThan(700);
    expect(counts.failures).toEqual({});
    expect(counts).toMatchObject({ download: "complete", tcp: { end: "open" }, webSocket: { end: "open" } });
    expect(await Promise.all(units.map((unit) => property(unit, "MainPID")))).toEqual(before);
    for (const unit of ["waggle-control", "waggle-edge"])
      expect(await machine.out(`systemctl status ${unit}`)).toMatch(
        /ExecReload=.*status=0\/SUCCESS.*process \d+ serves the ports.*Reloaded waggle-/s,
      );
  }, 180_000);

  test("[U543] a reload that cannot work fails with the reason in the unit's status, and changes nothing", async () => {
    const key = "/etc/waggle/tls/mesh.example.com.key";
    await machine.out(`chmod 644 ${key}`);
    for (const unit of ["waggle-control", "waggle-edge"] as const) {
      const before = await property(unit, "MainPID");
      expect((await machine.run(`systemctl reload ${unit}`)).code).toBe(1);
      expect(await machine.out(`systemctl status ${unit}`)).toMatch(
        /Active: active \(running\).*not replaced: .*every user of this machine can read its key.*Reload failed/s,
      );
      expect(await property(unit, "MainPID")).toBe(before);
    }
    expect(await isServed()).toBe(true);
    expect(await waggle("service ls -q")).not.toBe("");
    await machine.out(`chmod 640 ${key}`);
  }, 180_000);

  test("[U544] a unit with an option that cannot work does not start, and says why", async () => {
    file("etc/waggle/control.env", "WAGGLE_OPTIONS=--tls-port 8787\n");
    expect((await machine.run("systemctl restart waggle-control")).code).toBe(1);
    await until("the reason", async () =>
      (await machine.run("systemctl status waggle-control")).out.includes(
        "--port and --tls-port are one port",
      ),
    );
    expect(await property("waggle-control", "ActiveState")).toBe("failed");
    rmSync(join(machine.root, "etc/waggle/control.env"));
    await machine.out("systemctl restart waggle-control");
    expect(await waggle("service ls -q")).not.toBe("");
    expect(await isServed()).toBe(true);
  }, 180_000);

  test("[U544] each unit runs again after kill -9 of its main process or of one that serves", async () => {
    const before = await Promise.all(units.map((unit) => property(unit, "MainPID")));
    await machine.out(`systemctl kill --kill-whom=main -s KILL ${units.join(" ")}`);
    for (const [at, unit] of units.entries())
      await until(
        `${unit} to run again`,
        async () =>
          (await property(unit, "ActiveState")) === "active" &&
          (await property(unit, "MainPID")) !== before[at],
        { withinMs: 30_000, everyMs: 100 },
      );
    expect(await isServed()).toBe(true);
    const served = (await processesOf("waggle-edge")).map(({ pid }) => pid);
    const main = await property("waggle-edge", "MainPID");
    await machine.out(`kill -9 ${served.join(" ")}`);
    // Clients wait in the sockets.
    expect(await machine.out(`curl -sf -m 30 http://127.0.0.1:${ports.http}/`)).toBe("ok\n");
    expect(await property("waggle-edge", "MainPID")).toBe(main);
    await until("tasks", async () => /web +replicated +2\/2/.test(await waggle("service ls")), {
      withinMs: 30_000,
    });
  }, 180_000);

  test("[U140] with ingress.conf a node opens its published ports, also below 1024", async () => {
    await machine.out("systemctl stop waggle-edge");
    const place = "etc/systemd/system/waggle-agent.service.d";
    mkdirSync(join(machine.root, place));
    copyFileSync(
      join(infra, "agent/waggle-agent.service.d/ingress.conf"),
      join(machine.root, place, "ingress.conf"),
    );
    await machine.out("systemctl daemon-reload && systemctl restart waggle-agent");
    await waggle("service create --name low --replicas 1 -p 81:80 waggle/whoami");
    await until("port 81", async () =>
      (await machine.run("curl -sf http://node1.example.com:81/")).out.includes("service: low"),
    );
    expect((await processesOf("waggle-agent")).map(({ name }) => name)).toContain("workerd");
    // The ports are the balancer's again.
    rmSync(join(machine.root, place), { recursive: true });
    await machine.out(
      "systemctl daemon-reload && systemctl restart waggle-agent && systemctl start waggle-edge",
    );
  }, 180_000);

  test("[U546] each unit stops within its timeout, without SIGKILL", async () => {
    for (const unit of ["waggle-edge", "waggle-agent", "waggle-control"] as const) {
      await machine.out(`systemctl stop ${unit}`);
      expect([await property(unit, "ActiveState"), await property(unit, "Result")]).toEqual([
        "inactive",
        "success",
      ]);
    }
    const stopped = await machine.out("journalctl -o cat --no-pager -n 40 -u 'waggle-*'");
    expect(stopped).not.toMatch(/SIGKILL|timed out/);
    await machine.out("systemctl start waggle-control && systemctl start waggle-edge waggle-agent");
  }, 180_000);

  test("[U546] after a reboot the units run, with the same services and nodes", async () => {
    const before = await waggle("service ls -q");
    await machine.reboot();
    await machine.out(`ip addr add ${address}/32 dev lo; export PATH=/opt/waggle/bin:$PATH`);
    for (const unit of units) expect(await property(unit, "ActiveState")).toBe("active");
    expect(await waggle("service ls -q")).toBe(before);
    await until("tasks", async () => /web +replicated +2\/2/.test(await waggle("service ls")), {
      withinMs: 30_000,
    });
    for (const name of ["node1", "lb1-edge"])
      expect(await waggle("node ls")).toMatch(new RegExp(`${name} +Ready`));
    expect(await machine.out("curl -sf -m 10 http://127.0.0.1:8080/")).toContain("service: web");
  }, 180_000);

  test("[U547] the journal has no token and no sign-in link, and the commands that it names work", async () => {
    const text = await machine.out("journalctl -o cat --no-pager");
    const { token, viewerToken } = JSON.parse(
      readFileSync(join(machine.root, "var/lib/waggle/secrets.json"), "utf8"),
    ) as { token: string; viewerToken: string };
    for (const secret of [joinToken, token, viewerToken]) {
      expect(secret.length).toBeGreaterThan(15);
      expect(text).not.toContain(secret);
    }
    expect(text).not.toContain("sign-in?");
    const [, dashboard = "false"] = /Dashboard: `([^`]+)`/.exec(text) ?? [];
    expect(await machine.out(dashboard)).toContain("sign-in?");
    const [, ofToken = "false"] = /--join "\$\(([^)]+)\)"/.exec(text) ?? [];
    expect((await machine.out(ofToken)).trim()).toBe(joinToken);
  });

  test("[U548] a unit goes on when the kernel ends one of its processes because memory is short", async () => {
    for (const unit of units) expect(await property(unit, "OOMPolicy")).toBe("continue");
  });

  test("[U549] the compiled mesh runs under its unit", async () => {
    await machine.out("systemctl disable --now waggle-edge waggle-agent waggle-control");
    await machine.out("mv /var/lib/waggle /var/lib/waggle-before");
    await machine.out("cd /opt/waggle/lib/node_modules/waggle/infra/self-host");
    await follow(selfHostPage, "## The compiled alternative");
    const asOperator = `WAGGLE_TOKEN=$(sed s/OPERATOR_TOKEN=// /etc/waggle/mesh.env) waggle --host http://127.0.0.1:8787`;
    await until("the mesh", async () => (await machine.run(`${asOperator} node ls`)).code === 0);
    await machine.out(`${asOperator} server add back s1 ${address}:7000 -l waggle.host=back.test`);
    await machine.out("systemctl kill -s KILL waggle");
    await until("the same mesh", async () =>
      (await machine.run(`${asOperator} service ls`)).out.includes("back"),
    );
    expect(await machine.out("stat -L -c %a /var/lib/waggle")).toBe("700\n");
    expect(await journal("waggle")).not.toMatch(/OPERATOR_TOKEN|error/i);
    await machine.out("systemctl stop waggle");
    expect(await property("waggle", "ActiveState")).toBe("inactive");
  }, 180_000);
});

/** The commands of a page's section that this file runs. */
function commandsUnder(path: string, heading: string): readonly PageCommand[] {
  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  const start = lines.indexOf(heading);
  const end = lines.findIndex((line, at) => at > start && line.startsWith("## "));
  const commands = parsePage(path, text)
    .blocks.filter(
      ({ line, runBy }) => line > start && line <= (end === -1 ? lines.length : end) && runBy === own,
    )
    .flatMap((block) => block.commands);
  if (start === -1 || commands.length === 0) throw new Error(`${path} has no commands under "${heading}"`);
  return commands;
}

const own = "test/system/systemd-live.test.ts";
