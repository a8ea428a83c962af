// The labels by which an agent knows containers: its own, and those of a Swarm.

/** Names the agent that made a container, so that it finds strays when its state folder is lost. */
export const agentLabel = "waggle.agent";
/** On a container whose service has name servers of its own. */
export const nameServersLabel = "waggle.name-servers";
export const taskIdLabel = "com.docker.swarm.task.id";
export const taskNameLabel = "com.docker.swarm.task.name";
export const serviceNameLabel = "com.docker.swarm.service.name";
