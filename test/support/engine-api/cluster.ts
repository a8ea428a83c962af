// GET /swarm, and Swarm.Cluster of GET /info: moby's api/types/swarm.Swarm and ClusterInfo.

import { z } from "zod";
import { base64, count, driver, meta, omitempty, pointer, swarmId, textMap, texts } from "./values.ts";

export const tlsInfo = z.strictObject({
  TrustRoot: omitempty(z.string()),
  CertIssuerSubject: omitempty(base64),
  CertIssuerPublicKey: omitempty(base64),
});

const externalCa = z.strictObject({
  Protocol: z.string(),
  URL: z.string(),
  Options: omitempty(textMap),
  CACert: z.string(),
});

const clusterSpec = z.strictObject({
  Name: omitempty(z.string()),
  Labels: textMap,
  Orchestration: z.strictObject({ TaskHistoryRetentionLimit: pointer(count) }),
  Raft: z.strictObject({
    SnapshotInterval: omitempty(count),
    KeepOldSnapshots: pointer(count),
    LogEntriesForSlowFollowers: omitempty(count),
    ElectionTick: count,
    HeartbeatTick: count,
  }),
  Dispatcher: z.strictObject({ HeartbeatPeriod: omitempty(count) }),
  CAConfig: z.strictObject({
    NodeCertExpiry: omitempty(count),
    ExternalCAs: omitempty(z.array(externalCa)),
    SigningCACert: omitempty(z.string()),
    SigningCAKey: omitempty(z.string()),
    ForceRotate: omitempty(count),
  }),
  TaskDefaults: z.strictObject({ LogDriver: pointer(driver) }),
  EncryptionConfig: z.strictObject({ AutoLockManagers: z.boolean() }),
});

export const clusterInfo = z.strictObject({
  ID: swarmId,
  ...meta,
  Spec: clusterSpec,
  TLSInfo: tlsInfo,
  RootRotationInProgress: z.boolean(),
  // Null: the default pool.
  DefaultAddrPool: texts.min(1).nullable(),
  SubnetSize: count,
  DataPathPort: count,
});

const joinToken = z.string().regex(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);

export const swarm = clusterInfo.extend({
  JoinTokens: z.strictObject({ Worker: joinToken, Manager: joinToken }),
});

/** GET /swarm/unlockkey. */
export const unlockKey = z.strictObject({ UnlockKey: z.string() });
