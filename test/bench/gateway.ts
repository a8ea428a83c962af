// The gateway benchmark: signed attempts through the gateway of an agent, and the same requests through nginx
// as a reverse proxy and through the shortest proxies in Node, which are the floor of a gateway in Node. All
// keep their connections to the task open.

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
import type { NodeProxyOrder } from "./node-proxy-child.ts";
import type { MeasuredProxy, ProxyStarters } from "./proxies.ts";
import { compare, type TrafficOptions } from "./traffic.ts";

const key = Buffer.alloc(32, 7).toString("base64url");

const starters: ProxyStarters = {
  nginx: startNginx,
  "bytes copied by Node": (origin) => startNodeProxy("copy", origin),
  "shortest proxy of Node": (origin) => startNodeProxy("http", origin),
  gateway: startGateway,
};

/** Compares throughput, CPU time and latency. */
export async function benchGateway(options: TrafficOptions): Promise<void> {
  await compare("Gateway", starters, { ...options, attemptKey: key });
}

function startGateway(origin: string): Promise<MeasuredProxy> {
  return startChild("gateway-child.ts", { key, ...addressOf(origin) } satisfies GatewayOrder);
}

function startNodeProxy(kind: NodeProxyOrder["kind"], origin: string): Promise<MeasuredProxy> {
  return startChild("node-proxy-child.ts", { kind, ...addressOf(origin) } satisfies NodeProxyOrder);
}

function addressOf(origin: string): { host: string; port: number } {
  const { hostname, port } = new URL(origin);
  return { host: hostname, port: Number(port) };
}

/** Starts a proxy that reports its port when it has its order. */
async function startChild(script: string, order: GatewayOrder | NodeProxyOrder): Promise<MeasuredProxy> {
  const child = fork(fileURLToPath(new URL(`./${script}`, import.meta.url)));
  child.send(order);
  const [port] = (await once(child, "message")) as [number];
  return { port, authority: `127.0.0.1:${port}`, pid: child.pid ?? 0, stop: () => stopChild(child) };
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
