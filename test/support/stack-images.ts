// Images for stacks of databases and small web programs, made of the programs of this machine under the names of
// public images. The web programs are scripts that speak to the databases with their own clients. All images have
// the same files, so that a daemon reads them once.

import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PrivateDockerd } from "./dockerd.ts";
import { missingPrograms } from "./program.ts";

const postgres = "/usr/lib/postgresql/15";
/** The folders of data in Docker's images. */
const postgresData = "/var/lib/postgresql/data";
const mysqlData = "/var/lib/mysql";
/** `nobody` of the images. */
const user = 65_534;

/** Why the images cannot be made; null if they can. */
export function stackImagesProblem(): string | null {
  const missing = [...missingPrograms(["redis-server", "mariadbd", "mariadb"])];
  if (!existsSync(`${postgres}/bin/postgres`)) missing.push(`${postgres}/bin/postgres`);
  if (missing.length === 0) return null;
  return `no ${missing.join(", ")}; apt-get install redis-server postgresql-15 mariadb-server-core mariadb-client-core`;
}

const psql = "psql -h db -U postgres -qtA -v ON_ERROR_STOP=1 -c";
const mysql = "mariadb --no-defaults --protocol=tcp -h mysql -u root -N -e";
const posts = [
  "CREATE DATABASE IF NOT EXISTS wordpress",
  "CREATE TABLE IF NOT EXISTS wordpress.posts (id int auto_increment primary key)",
  "INSERT INTO wordpress.posts VALUES ()",
  "SELECT concat('posts: ', count(*) > 0) FROM wordpress.posts",
];

/** The programs of images without a program of this machine's own. */
const scripts = {
  /** A server that trusts its clients. */
  postgres: `
[ -s ${postgresData}/PG_VERSION ] ||
  ${postgres}/bin/initdb -D ${postgresData} -U "$POSTGRES_USER" -A trust --locale=C -N
echo 'host all all all trust' >>${postgresData}/pg_hba.conf
exec ${postgres}/bin/postgres -D ${postgresData} -k /tmp -c listen_addresses='*' -c fsync=off`,
  /** MariaDB, which speaks the protocol of MySQL, without passwords. */
  mysql: `exec mariadbd --no-defaults --datadir=${mysqlData} --socket=/tmp/mysql.sock \\
  --pid-file=/tmp/mysql.pid --skip-grant-tables --bind-address=0.0.0.0 --port=3306`,
  /** Moves votes from `redis` to `db`, one at a time. */
  worker: `
until ${psql} 'CREATE TABLE IF NOT EXISTS votes (vote text)'; do sleep 1; done
while :; do
  vote=$(redis-cli -h redis lpop votes)
  if [ -n "$vote" ]; then ${psql} "INSERT INTO votes VALUES ('$vote')"; else sleep 1; fi
done`,
} as const;

/** What a web program prints for a request of `/cgi-bin/NAME`. */
const pages = {
  /** Queues the query of the request as a vote in the service `redis`. */
  vote: 'redis-cli -h redis rpush votes "$QUERY_STRING" && hostname',
  /** Counts the votes in the service `db`. */
  result: `${psql} 'SELECT vote, count(*) FROM votes GROUP BY vote ORDER BY vote' 2>&1`,
  /** Keeps posts in the service that WordPress takes as its database by default. */
  wordpress: `${mysql} "${posts.join("; ")}" 2>&1`,
} as const;

const run = (script: keyof typeof scripts) => `CMD ["sh","/${script}"]`;
const web = ['CMD ["busybox","httpd","-f","-p","80","-h","/site"]', "EXPOSE 80"];

const images: Readonly<Record<string, readonly string[]>> = {
  "redis:alpine": [
    'CMD ["redis-server","--bind","0.0.0.0","--protected-mode","no","--save",""]',
    "EXPOSE 6379",
  ],
  // Without EXPOSE: its port is found where it listens.
  "postgres:15-alpine": [run("postgres"), "USER nobody"],
  "mysql:5.7": [run("mysql"), "USER nobody", "EXPOSE 3306"],
  "dockersamples/examplevotingapp_vote:latest": web,
  "dockersamples/examplevotingapp_result:latest": web,
  "dockersamples/examplevotingapp_worker:latest": [run("worker")],
  "wordpress:latest": web,
};

/** Makes the images. */
export async function importStackImages(dockerd: PrivateDockerd): Promise<void> {
  const clients = ["redis-server", "redis-cli", "mariadb", "curl", `${postgres}/bin/psql`];
  const servers = ["mariadbd", `${postgres}/bin/postgres`, `${postgres}/bin/initdb`];
  await dockerd.importPrograms("stack-base", [...clients, ...servers], ['CMD ["sh"]'], fill);
  const container = await dockerd.docker("create", "stack-base");
  for (const [name, changes] of Object.entries(images)) {
    const flags = changes.flatMap((change) => ["--change", change]);
    await dockerd.docker("commit", ...flags, container, name);
  }
  await dockerd.docker("rm", container);
}

function fill(root: string): void {
  const at = (path: string) => join(root, path);
  const isNeeded = (path: string) => !/bitcode|llvmjit|pgxs/.test(path);
  cpSync(postgres, at(postgres), { recursive: true, filter: isNeeded });
  for (const share of ["/usr/share/postgresql/15", "/usr/share/mysql"])
    cpSync(share, at(share), { recursive: true, dereference: true });
  for (const [name, script] of Object.entries(scripts)) writeFileSync(at(name), script);
  mkdirSync(at("site/cgi-bin"), { recursive: true });
  for (const [name, script] of Object.entries(pages)) {
    const path = at(`site/cgi-bin/${name}`);
    writeFileSync(path, `#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n${script}\n`);
    chmodSync(path, 0o755);
  }
  for (const path of [postgresData, mysqlData]) {
    mkdirSync(at(path), { recursive: true });
    chownSync(at(path), user, user);
    chmodSync(at(path), 0o700);
  }
  chmodSync(at("tmp"), 0o1777);
}
