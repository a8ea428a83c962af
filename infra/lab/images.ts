// The images of the lab, made of Debian's programs on this machine: no registry is asked for them.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** An image for `docker import`: a root folder, what runs in it, and its names. */
type Image = {
  readonly names: readonly string[];
  readonly make: (root: string) => void;
  readonly changes: readonly string[];
};

const images: readonly Image[] = [
  {
    names: ["nginx:latest", "nginx:1.26", "nginx:1.27"],
    make: makeNginx,
    changes: ['CMD ["nginx", "-g", "daemon off;"]', "EXPOSE 80"],
  },
  { names: ["busybox:latest"], make: makeBusybox, changes: ['CMD ["sh"]'] },
];

/** A tar archive with the arguments of `docker import`, and the names that its image gets. */
export type Archive = {
  readonly file: string;
  readonly names: readonly string[];
  readonly flags: readonly string[];
};

/** Writes the archive of each image. @param dir an empty folder */
export function writeArchives(dir: string): readonly Archive[] {
  return images.map(({ names, make, changes }, index) => {
    const root = join(dir, String(index));
    makeBase(root);
    make(root);
    const file = `${root}.tar`;
    execFileSync("tar", ["-C", root, "-cf", file, "."]);
    return { file, names, flags: changes.flatMap((change) => ["--change", change]) };
  });
}

/** What each image has: busybox as its shell, and the users that programs ask for. */
function makeBase(root: string): void {
  for (const folder of ["bin", "dev", "etc", "proc", "run", "sys", "tmp", "var/log"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  addProgram(root, "busybox");
  for (const applet of applets) symlinkSync("busybox", join(root, "bin", applet));
  const users = ["root:x:0:0:root:/:/bin/sh", "www-data:x:33:33::/:/bin/sh"];
  writeFileSync(join(root, "etc/passwd"), `${users.join("\n")}\n`);
  writeFileSync(join(root, "etc/group"), "root:x:0:\nwww-data:x:33:\n");
}

const applets = "sh cat sleep touch rm kill true false wget nc id hostname env head ps ls mount".split(" ");

function makeBusybox(): void {
  // The base is all of it.
}

/** Debian's nginx with its own page. The host name of the container is in a header, and at /hostname. */
function makeNginx(root: string): void {
  addProgram(root, "nginx");
  for (const folder of ["etc/nginx", "var/lib/nginx", "var/log/nginx", "usr/share/nginx/html"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync("/usr/share/nginx/html/index.html", join(root, "usr/share/nginx/html/index.html"));
  for (const [log, stream] of [
    ["access.log", "stdout"],
    ["error.log", "stderr"],
  ] as const) {
    symlinkSync(`/dev/${stream}`, join(root, "var/log/nginx", log));
  }
  writeFileSync(join(root, "etc/nginx/nginx.conf"), nginxConfig);
}

const nginxConfig = `user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events {}
http {
  access_log off;
  server {
    listen 80;
    root /usr/share/nginx/html;
    add_header X-Served-By $hostname always;
    location / { default_type text/html; index index.html; }
    location = /hostname { default_type text/plain; return 200 "$hostname\\n"; }
  }
}
`;

/** Copies a program with its libraries into the folder of an image. */
function addProgram(root: string, name: string): void {
  const program = String(execFileSync("sh", ["-c", 'command -v "$0"', name])).trim();
  copyFileSync(program, join(root, "bin", basename(program)));
  for (const library of librariesOf(program)) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
}

/** The shared libraries of a program; empty if it is linked statically. */
function librariesOf(program: string): readonly string[] {
  try {
    const list = execFileSync("ldd", [program], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return list.match(/\/\S+/g) ?? [];
  } catch {
    return [];
  }
}
