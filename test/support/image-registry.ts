// A registry of one image for tests: enough of the distribution API for dockerd to pull it. Run as a program, it
// listens on 127.0.0.1 in the network namespace that it is started in.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

export const imageRegistryProgram = fileURLToPath(import.meta.url);

/** `app:1` can be pulled, `slow:1` takes minutes, and everything else is unknown. Both need this user's password. */
export const imageRegistryUser = { name: "reader", password: "a password of the registry" };

const types = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  config: "application/vnd.docker.container.image.v1+json",
  layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
};

const digestOf = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** @param archive a tar archive of the image's files */
function serve(port: number, archive: string): void {
  const tar = readFileSync(archive);
  const layer = gzipSync(tar);
  /** A configuration is an image's identity: dockerd downloads no layer of one that it has. */
  const configOf = (imageName: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        architecture: process.arch === "arm64" ? "arm64" : "amd64",
        os: "linux",
        config: { Cmd: ["sleep", "1000"], Labels: { name: imageName } },
        rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
      }),
    );
  const configs = { app: configOf("app"), slow: configOf("slow") };
  const manifestOf = (config: Buffer, layerDigest: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: { mediaType: types.config, size: config.length, digest: digestOf(config) },
        layers: [{ mediaType: types.layer, size: layer.length, digest: layerDigest }],
      }),
    );
  const manifests: Readonly<Record<string, Buffer>> = {
    app: manifestOf(configs.app, digestOf(layer)),
    slow: manifestOf(configs.slow, `sha256:${"0".repeat(64)}`),
  };
  const blobs = new Map([
    [digestOf(layer), layer],
    [digestOf(configs.app), configs.app],
    [digestOf(configs.slow), configs.slow],
  ]);
  const { name, password } = imageRegistryUser;
  const credentials = `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
  const server = createServer(({ url = "", headers }, response) => {
    if (headers.authorization !== credentials) {
      response.setHeader("www-authenticate", 'Basic realm="test"');
      return refuse(response, 401, "UNAUTHORIZED", "authentication required");
    }
    const [, image = "", kind, reference = ""] = /^\/v2\/(\w+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
    const manifest = manifests[image];
    if (url === "/v2/") return response.end("{}");
    if (kind === "manifests" && manifest !== undefined) {
      response.setHeader("docker-content-digest", digestOf(manifest));
      return send(response, types.manifest, manifest);
    }
    if (reference.endsWith("0".repeat(64))) {
      response.setHeader("content-length", layer.length);
      return trickle(response, layer);
    }
    const blob = blobs.get(reference);
    if (blob !== undefined) return send(response, "application/octet-stream", blob);
    return refuse(response, 404, "MANIFEST_UNKNOWN", "manifest unknown");
  });
  server.listen(port, "127.0.0.1", () => process.stdout.write("listening\n"));
}

function send(response: ServerResponse, type: string, body: Buffer): void {
  response.setHeader("content-type", type);
  response.setHeader("content-length", body.length);
  response.end(body);
}

/** Sends a body that takes minutes. A stalled one would not do: dockerd notices the end of a pull when bytes come. */
function trickle(response: ServerResponse, body: Buffer): void {
  const chunkBytes = Math.ceil(body.length / 2_000);
  let sentBytes = Math.floor(body.length / 4);
  response.write(body.subarray(0, sentBytes));
  const timer = setInterval(() => {
    response.write(body.subarray(sentBytes, sentBytes + chunkBytes));
    sentBytes += chunkBytes;
  }, 100);
  response.once("close", () => clearInterval(timer));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

if (process.argv[1] === imageRegistryProgram) serve(Number(process.argv[2]), process.argv[3] ?? "");
