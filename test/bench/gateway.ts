// The gateway benchmark: signed attempts through the gateway of an agent, and the same requests through nginx
// as a reverse proxy, with connections to the task kept open by both.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exchange } from "../support/raw-exchange.ts";
import { until } from "../support/until.ts";
import type { GatewayOrder } from "./gateway-child.ts";
import type { MeasuredProxy, ProxyStarters } from "./proxies.ts";
import { compare, type TrafficOptions } from "./traffic.ts";

const key = Buffer.alloc(32, 7).toString("base64url");

const starters: ProxyStarters = { nginx: startNginx, gateway: startGateway };

/** Compares throughput, CPU time and latency. */
export function benchGateway(options: TrafficOptions): Promise<void> {
  return compare("Gateway", starters, { ...options, attemptKey: key });
}

async function startGateway(origin: string): Promise<MeasuredProxy> {
  const { hostname, port } = new URL(origin);
  const child = fork(fileURLToPath(new URL("./gateway-child.ts", import.meta.url)));
  child.send({ key, host: hostname, port: Number(port) } satisfies GatewayOrder);
  const [gatewayPort] = (await once(child, "message")) as [number];
  return {
    port: gatewayPort,
    authority: `127.0.0.1:${gatewayPort}`,
    pid: child.pid ?? 0,
    stop: () => stopChild(child),
  };
}

/** One process, as the gateway is. */
async function startNginx(origin: string): Promise<MeasuredProxy> {
  const folder = mkdtempSync(join(tmpdir(), "waggle-bench-"));
  const port = await freePort();
  writeFileSync(join(folder, "nginx.conf"), nginxConfig(folder, port, new URL(origin).host));
  const child = spawn("nginx", ["-p", folder, "-c", "nginx.conf", "-e", "error.log"], { stdio: "inherit" });
  await until(
    "nginx",
    async () => (await exchange(port, [get], { isDone: (text) => text !== "" })).text !== "",
  );
  return {
    port,
    authority: `127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stop: async () => {
      await stopChild(child);
      rmSync(folder, { recursive: true });
    },
  };
}

const get = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

function nginxConfig(folder: string, port: number, upstream: string): string {
  return `
    daemon off;
    master_process off;
    pid ${folder}/pid;
    events { worker_connections 1024; }
    http {
      access_log off;
      keepalive_requests 1000000000;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      upstream task { server ${upstream}; keepalive 64; keepalive_requests 1000000000; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://task;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host www.test;
        }
      }
    }`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function stopChild(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill();
  await exited;
}
