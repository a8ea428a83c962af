// A mesh of two nodes whose tasks are containers of a real dockerd, and its clients in the daemon's network.

import { PrivateDockerd, type Ran } from "./dockerd.ts";
import { MeshProcess, newStateDir, waggleProgram } from "./mesh-process.ts";

/** Clients of a mesh, in the network of a daemon. */
export type MeshClients = {
  /** Runs the `waggle` command against the mesh. */
  readonly waggle: (...args: readonly string[]) => Promise<Ran>;
  /** Runs the Docker CLI against the mesh. */
  readonly docker: (...args: readonly string[]) => Promise<Ran>;
  /** The same. @returns what it printed; throws if it fails */
  readonly ok: (...args: readonly string[]) => Promise<string>;
};

export function clientsAt(dockerd: PrivateDockerd, { control, token }: MeshProcess): MeshClients {
  const docker: MeshClients["docker"] = (...args) => {
    const host = `DOCKER_HOST=${control.replace(/^http:/, "tcp:")}`;
    const headers = `DOCKER_CUSTOM_HEADERS=Authorization=Bearer ${token}`;
    return dockerd.run(["env", host, headers, "docker", ...args]);
  };
  return {
    waggle: (...args) =>
      dockerd.run([...waggleProgram, ...args], { WAGGLE_HOST: control, WAGGLE_TOKEN: token }),
    docker,
    ok: async (...args) => {
      const { code, out } = await docker(...args);
      if (code !== 0) throw new Error(`docker ${args.join(" ")} exited with ${code}: ${out}`);
      return out.trim();
    },
  };
}

export class DockerMesh implements MeshClients {
  readonly dockerd: PrivateDockerd;
  readonly mesh: MeshProcess;
  readonly waggle: MeshClients["waggle"];
  readonly docker: MeshClients["docker"];
  readonly ok: MeshClients["ok"];

  private constructor(dockerd: PrivateDockerd, mesh: MeshProcess) {
    this.dockerd = dockerd;
    this.mesh = mesh;
    ({ waggle: this.waggle, docker: this.docker, ok: this.ok } = clientsAt(dockerd, mesh));
  }

  /** Starts a daemon with the images `nginx` and `busybox`, and the mesh in its network. */
  static async start(): Promise<DockerMesh> {
    const dockerd = await PrivateDockerd.start();
    try {
      await dockerd.importImages();
      const place = { address: "127.0.0.1", command: dockerd.command };
      const flags = ["--nodes", "2", "--runtime", "docker"];
      return new DockerMesh(dockerd, await MeshProcess.startAt(place, flags, newStateDir()));
    } catch (error) {
      await dockerd.remove();
      throw error;
    }
  }

  async remove(): Promise<void> {
    await this.mesh.remove();
    await this.dockerd.remove();
  }
}
