// Leaves packages out of the bundles that a dependency loads for something that Waggle does not do.

import type { Plugin } from "esbuild";

const unused: Readonly<Record<string, string>> = {
  // Of dockerode, to build images and to reach a daemon by ssh.
  "@grpc/grpc-js": "building images",
  "@grpc/proto-loader": "building images",
  protobufjs: "building images",
  "@balena/dockerignore": "building images",
  "tar-fs": "building images",
  ssh2: "Docker by ssh",
  // Of Miniflare.
  sharp: "the binding of Cloudflare Images",
};

/** Replaces them by a module that can be loaded and throws when it is used. */
export const leaveOutUnused: Plugin = {
  name: "leave out unused packages",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[@\w]/ }, ({ path }) => (path in unused ? { path, namespace: "unused" } : null));
    onLoad({ filter: /./, namespace: "unused" }, ({ path }) => {
      const message = `this build of Waggle has no ${path}, which is for ${unused[path]}`;
      return {
        contents: `const fail = () => { throw new Error(${JSON.stringify(message)}); };
module.exports = new Proxy(fail, { get: () => module.exports, construct: fail });`,
      };
    });
  },
};
