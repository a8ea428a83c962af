// The files of an nginx task: its configuration and its index page.

import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { AssignedTask } from "../../protocol/agent.ts";
import type { TaskEnvironment } from "./images.ts";

/** The content of each file, by its path in the task's folder. */
export function nginxFiles(
  environment: TaskEnvironment,
  task: AssignedTask,
): Readonly<Record<string, string>> {
  return {
    "nginx.conf": configuration(environment, task.id),
    "html/index.html": indexPage(environment, task),
  };
}

function configuration({ taskDir, host, ports }: TaskEnvironment, taskId: string): string {
  const address = host.includes(":") ? `[${host}]` : host;
  const listens = ports.map(({ port }) => `    listen ${address}:${port};`).join("\n");
  return `# Overwritten each time the task starts.
daemon off;
worker_processes 1;
pid ${quotePath(join(taskDir, "nginx.pid"))};
error_log stderr notice;
${userDirective()}events { worker_connections 1024; }
http {
${mimeTypes()}
  access_log /dev/stdout;
  server_tokens off;
  # A marker (label waggle.marker) that no proxy between the mesh and this server sends.
  add_header x-task ${quotePath(taskId)} always;
${temporaryPaths(taskDir)}
  server {
${listens}
    root ${quotePath(join(taskDir, "html"))};
  }
}
`;
}

function indexPage({ nodeName }: TaskEnvironment, task: AssignedTask): string {
  const facts = [
    ["node", nodeName],
    ["service", task.service.name],
    ["slot", String(task.slot)],
    ["task", task.id],
  ];
  const rows = facts.map(([name, value = ""]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Welcome to nginx!</title>
<h1>Welcome to nginx!</h1>
<dl>
${rows}
</dl>
</html>
`;
}

/** As root, nginx would run its workers as an unprivileged user that may not read the task's folder. */
function userDirective(): string {
  return process.getuid?.() === 0 ? `user ${userInfo().username} ${rootGroup()};\n` : "";
}

/** The group of root: `wheel` on the BSDs and macOS. */
function rootGroup(): string {
  return process.platform === "linux" ? "root" : "wheel";
}

function mimeTypes(): string {
  const candidates = [
    "/etc/nginx/mime.types",
    "/usr/local/etc/nginx/mime.types",
    "/opt/homebrew/etc/nginx/mime.types",
  ];
  const file = candidates.find((path) => existsSync(path));
  return file === undefined ? "  types { text/html html; }" : `  include ${file};`;
}

function temporaryPaths(taskDir: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `  ${kind}_temp_path ${quotePath(join(taskDir, "tmp", kind))};`).join("\n");
}

function quotePath(path: string): string {
  return `"${path.replace(/["\\]/g, "\\$&")}"`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
