// The commands that are run on a Docker Swarm and on a mesh, in this order, by a shell on a machine with the Docker
// CLI. Later ones build on earlier ones.

/** A command of the sequence. */
export type Command = {
  readonly text: string;
  /** Waits afterwards until `docker service ls` has these replicas of a service and no update of it goes on. */
  readonly until?: Readonly<Record<string, string>>;
};

/** Files that the commands read from their folder. */
export const files: Readonly<Record<string, string>> = {
  "stack.yml": `services:
  front:
    image: nginx:latest
    ports: ["8090:80"]
    labels: { com.example.tier: front }
    deploy:
      replicas: 2
      labels: { com.example.team: web }
      resources: { limits: { memory: 64M } }
  worker:
    image: busybox:latest
    command: sleep 1000
    environment: { MODE: slow }
    deploy: { mode: global }
`,
  "stack2.yml": `services:
  front:
    image: nginx:1.27
    ports: ["8090:80"]
    deploy:
      replicas: 1
`,
  "unknown-key.yml": `services:
  front:
    image: nginx:latest
    colour: red
`,
  "no-image.yml": `services:
  front:
    ports: ["8091:80"]
`,
  "bad-port.yml": `services:
  front:
    image: nginx:latest
    ports: ["99999:80"]
`,
  "broken.yml": `services:
  front: [
`,
  "settings.txt": "color = red\n",
};

const create = "docker service create -d --no-resolve-image";
const update = "docker service update -d --no-resolve-image";

export const commands: readonly Command[] = [
  // Nodes.
  { text: "docker node ls" },
  { text: "docker node ls -q | wc -l" },
  { text: "docker node ls --format '{{.Hostname}} {{.Status}} {{.Availability}}'" },
  { text: "docker node ls --filter name=node2 --format '{{.Hostname}}'" },
  { text: "docker node ls --filter role=worker --format '{{.Hostname}}' | sort" },
  { text: "docker node ls --filter nosuch=1" },
  { text: "docker node inspect node2 --format '{{.Description.Hostname}} {{.Spec.Role}} {{.Status.State}}'" },
  { text: "docker node inspect node2 --format '{{.Description.Platform.OS}} {{json .Spec.Labels}}'" },
  { text: "docker node inspect --pretty node2" },
  { text: "docker node inspect nosuch" },
  { text: "docker node update --label-add zone=east --label-add disk node2" },
  { text: "docker node inspect node2 --format '{{json .Spec.Labels}}'" },
  { text: "docker node update --label-rm nosuch node2" },
  { text: "docker node update --availability sleep node2" },
  { text: "docker node update --availability pause node3" },
  { text: "docker node ls --format '{{.Hostname}} {{.Availability}}' --filter name=node3" },
  { text: "docker node update --availability active node3" },
  { text: "docker node ps node2" },
  { text: "docker node rm node2" },

  // A service, listed and inspected.
  { text: "docker service ls" },
  {
    text: `${create} --name web --replicas 2 --publish published=8080,target=80 --update-monitor 1s --rollback-monitor 1s nginx`,
    until: { web: "2/2" },
  },
  { text: "docker service ls" },
  { text: "docker service ls -q | wc -c" },
  {
    text: "docker service ls --filter name=we --format '{{.Name}} {{.Mode}} {{.Replicas}} {{.Image}} {{.Ports}}'",
  },
  { text: "docker service ls --filter mode=global -q" },
  { text: "docker service ls --filter nosuch=1" },
  { text: "docker service ps web" },
  {
    text: "docker service ps web --format '{{.Name}} {{.Image}} {{.DesiredState}} {{.CurrentState}} {{.Error}}'",
  },
  { text: "docker service ps web --no-trunc --filter name=web.1 --format '{{.Name}}|{{.Image}}|{{.Ports}}'" },
  { text: "docker service ps -q web | wc -l" },
  { text: "docker service ps nosuch" },
  { text: "docker service ps web nosuch --format '{{.Name}}'" },
  { text: "docker service inspect --pretty web" },
  { text: "docker service inspect web" },
  { text: "docker service inspect web --format '{{json .Endpoint.Ports}}'" },
  {
    text: "docker service inspect web --format '{{.Spec.TaskTemplate.ContainerSpec.Image}} {{.Spec.Mode.Replicated.Replicas}}'",
  },
  { text: "docker service inspect web --format '{{.Nosuch}}'" },
  { text: "docker service inspect nosuch" },
  { text: "docker inspect web --format '{{.Spec.Name}}'" },
  { text: "docker inspect --type service web --format '{{.Spec.Name}}'" },

  // Refused creations.
  { text: `${create} --name web nginx` },
  { text: `${create} --name other --publish published=8080,target=80 nginx` },
  { text: `${create} --name bad_port --publish published=99999,target=80 nginx` },
  { text: `${create} --name bad_target --publish published=8099 nginx` },
  { text: `${create} --name 'no name' nginx` },
  { text: `${create} --name upper NGINX` },
  { text: `${create} --name nothing ''` },
  { text: `${create} --name badnet --network nosuch nginx` },
  { text: `${create} --name badsecret --secret nosuch nginx` },
  { text: `${create} --name badconfig --config nosuch nginx` },
  { text: `${create} --name badconstraint --constraint nonsense nginx` },
  { text: `${create} --name badmemory --limit-memory 1k nginx` },
  { text: `${create} --name badcpu --limit-cpu 0.0000001 nginx` },
  { text: `${create} --name badmode --mode sometimes nginx` },
  { text: `${create} --name both --mode global --replicas 2 nginx` },
  { text: `${create} --name badrestart --restart-condition never nginx` },
  { text: `${create} --name badratio --update-max-failure-ratio 2 nginx` },
  { text: `${create} --name baddelay --update-delay soon nginx` },
  { text: `${create} --name badtemplate --env 'A={{.Nosuch}}' nginx` },

  // Scaling and updates.
  { text: "docker service scale -d web=3", until: { web: "3/3" } },
  { text: "docker service ls --format '{{.Name}} {{.Replicas}}'" },
  { text: "docker service scale web=many" },
  { text: "docker service scale web=-1" },
  { text: "docker service scale nosuch=2" },
  { text: "docker service scale web" },
  { text: "docker service scale -d web=2", until: { web: "2/2" } },
  { text: `${update} --image nginx:1.27 web`, until: { web: "2/2" } },
  {
    text: "docker service inspect web --format '{{.Spec.TaskTemplate.ContainerSpec.Image}} {{.UpdateStatus.State}} {{.UpdateStatus.Message}}'",
  },
  { text: "docker service ps web --format '{{.Name}} {{.Image}} {{.DesiredState}}' | sort | uniq" },
  { text: "docker service rollback -d web", until: { web: "2/2" } },
  {
    text: "docker service inspect web --format '{{.Spec.TaskTemplate.ContainerSpec.Image}} {{.UpdateStatus.State}} {{.UpdateStatus.Message}}'",
  },
  { text: `${update} --env-add A=1 web`, until: { web: "2/2" } },
  { text: "docker service inspect web --format '{{json .Spec.TaskTemplate.ContainerSpec.Env}}'" },
  {
    text: `${update} --env-rm A --env-add B=two --label-add com.example.a=1 --container-label-add b=2 web`,
    until: { web: "2/2" },
  },
  {
    text: "docker service inspect web --format '{{json .Spec.Labels}} {{json .Spec.TaskTemplate.ContainerSpec.Labels}} {{json .Spec.TaskTemplate.ContainerSpec.Env}}'",
  },
  { text: `${update} --publish-add published=8081,target=80 web`, until: { web: "2/2" } },
  {
    text: "docker service inspect web --format '{{range .Endpoint.Ports}}{{.PublishedPort}}->{{.TargetPort}} {{end}}'",
  },
  { text: `${update} --publish-rm 80 web`, until: { web: "2/2" } },
  { text: "docker service ls --filter name=web" },
  { text: `${update} --constraint-add node.labels.zone==east web`, until: { web: "2/2" } },
  { text: "docker service ps web --filter desired-state=running --format '{{.Name}} {{.Node}}'" },
  { text: "docker service inspect web --format '{{json .Spec.TaskTemplate.Placement.Constraints}}'" },
  { text: `${update} --constraint-rm node.labels.zone==east web`, until: { web: "2/2" } },
  { text: `${update} --force web`, until: { web: "2/2" } },
  {
    text: `${update} --limit-memory 64m --restart-max-attempts 3 --stop-grace-period 5s web`,
    until: { web: "2/2" },
  },
  { text: "docker service inspect --pretty web" },
  { text: `${update} --replicas 1 web`, until: { web: "1/1" } },
  { text: `${update} --image '' web` },
  { text: `${update} nosuch` },
  { text: `${update} --rollback --image nginx web` },
  { text: "docker service rollback nosuch" },
  { text: "docker service update --publish-add published=0x50,target=80 web" },
  { text: "docker service update --availability drain web" },

  // Nodes with tasks.
  { text: "docker node update --availability drain node2", until: { web: "1/1" } },
  { text: "docker node inspect node2 --format '{{.Spec.Availability}} {{.Status.State}}'" },
  { text: "docker node ps node2 --filter desired-state=running" },
  { text: "docker node update --availability active node2" },

  // Global services, host-mode ports and flags of the container.
  {
    text: `${create} --name everywhere --mode global --publish mode=host,published=8085,target=80 nginx`,
    until: { everywhere: "3/3" },
  },
  { text: "docker service ls --filter name=everywhere" },
  { text: "docker service ps everywhere --format '{{.Image}} {{.DesiredState}} {{.Ports}}'" },
  { text: "docker service ps everywhere --format '{{.Node}}' | sort" },
  { text: "docker service scale everywhere=2" },
  {
    text: `${create} --name full --hostname '{{.Node.Hostname}}' --env T='{{.Task.Slot}}' --user www-data --workdir /tmp --stop-signal SIGKILL --mount type=tmpfs,target=/scratch --mount type=volume,source=data,target=/data --limit-memory 32m --reserve-cpu 0.1 --health-cmd true --health-interval 1s --dns 9.9.9.9 --host db:10.1.1.1 --cap-drop NET_RAW --ulimit nofile=100:200 --init --read-only --restart-condition on-failure --label com.example.full=yes --constraint node.hostname!=node3 --log-driver json-file --log-opt max-size=1m busybox sleep 1000`,
    until: { full: "1/1" },
  },
  { text: "docker service inspect full --format '{{json .Spec.TaskTemplate}}'" },
  { text: "docker service inspect --pretty full" },
  { text: "docker service ps full --format '{{.Name}} {{.Image}} {{.DesiredState}} {{.Error}}'" },
  {
    text: "docker inspect --type task $(docker service ps -q full | head -n 1) --format '{{.Slot}} {{.Status.State}} {{.DesiredState}} {{.Status.Message}} {{.Spec.ContainerSpec.User}}'",
  },
  { text: "docker inspect --type task nosuch" },
  { text: "docker service rm everywhere full" },
  { text: "docker service rm full" },

  // Pending and failing tasks.
  { text: `${create} --name nowhere --constraint node.labels.zone==west nginx` },
  {
    text: "sleep 1; docker service ps nowhere --no-trunc --format '{{.Name}} {{.DesiredState}} {{.CurrentState}} {{.Error}}'",
  },
  { text: `${create} --name huge --reserve-memory 900g nginx` },
  {
    text: "sleep 1; docker service ps huge --no-trunc --format '{{.Name}} {{.DesiredState}} {{.CurrentState}} {{.Error}}'",
  },
  { text: `${create} --name missing --restart-condition none nosuch:1` },
  {
    text: "sleep 2; docker service ps missing --no-trunc --format '{{.Name}} {{.DesiredState}} {{.CurrentState}} {{.Error}}'",
  },
  {
    text: `${create} --name failing --restart-condition none busybox false`,
    until: { failing: "0/1" },
  },
  {
    text: "sleep 1; docker service ps failing --no-trunc --format '{{.Name}} {{.DesiredState}} {{.CurrentState}} {{.Error}}'",
  },
  {
    text: `${create} --name nocommand --restart-condition none busybox nosuchprogram`,
    until: { nocommand: "0/1" },
  },
  {
    text: "sleep 1; docker service ps nocommand --no-trunc --format '{{.Name}} {{.DesiredState}} {{.CurrentState}} {{.Error}}'",
  },
  { text: "docker service ls" },
  { text: "docker service rm nowhere huge missing failing nocommand" },

  // Jobs.
  {
    text: `${create} --name once --mode replicated-job --replicas 2 busybox true`,
    until: { once: "0/2 (2/2 completed)" },
  },
  { text: "docker service ls --filter name=once" },
  {
    // The CLI names the task of slot 0 by its node and sorts by name, so that the order depends on the node's id.
    text: `docker service ps once --format '{{.Name}} {{.DesiredState}} {{.CurrentState}}' | sed 's/^once\\.[0-9a-z]\\{25\\} /once.ID /' | sort`,
  },
  { text: "docker service inspect once --format '{{json .Spec.Mode}} {{.JobStatus.JobIteration.Index}}'" },
  { text: "docker service update -d --update-delay 1s once" },
  {
    text: `${create} --name eachonce --mode global-job busybox true`,
    until: { eachonce: "0/0 (3/3 completed)" },
  },
  { text: "docker service ls --filter name=eachonce --format '{{.Name}} {{.Mode}} {{.Replicas}}'" },
  { text: `${create} --name badjob --mode replicated-job --update-delay 1s busybox true` },
  { text: `${create} --name badjob --mode replicated-job --restart-condition any busybox true` },
  { text: "docker service rm once eachonce" },

  // Stacks.
  { text: "docker stack ls" },
  {
    text: "docker stack deploy -d -c stack.yml shop | sort",
    until: { shop_front: "2/2", shop_worker: "3/3" },
  },
  { text: "docker stack ls" },
  { text: "docker stack services shop" },
  { text: "docker stack services shop --format '{{.Name}} {{.Mode}} {{.Replicas}} {{.Image}} {{.Ports}}'" },
  { text: "docker stack services --filter name=shop_front shop -q | wc -l" },
  { text: "docker stack ps shop --format '{{.Image}} {{.DesiredState}}' | sort" },
  { text: "docker stack services nosuch" },
  { text: "docker stack ps nosuch" },
  {
    text: "docker service inspect shop_front --format '{{json .Spec.Labels}} {{json .Spec.TaskTemplate.ContainerSpec.Labels}}'",
  },
  {
    text: "docker stack deploy -d -c stack2.yml --prune shop",
    until: { shop_front: "1/1" },
  },
  { text: "docker stack services shop --format '{{.Name}} {{.Replicas}} {{.Image}}'" },
  { text: "docker stack deploy -d -c unknown-key.yml bad" },
  { text: "docker stack deploy -d -c no-image.yml bad" },
  { text: "docker stack deploy -d -c bad-port.yml bad" },
  { text: "docker stack deploy -d -c broken.yml bad" },
  { text: "docker stack deploy -d -c nosuch.yml bad" },
  { text: "docker stack rm nosuch" },
  { text: "docker stack rm shop" },

  // Networks, secrets and configs.
  // A Swarm lists a network until the last task has left it.
  {
    text: "for i in $(seq 30); do docker network ls | grep -q shop_default || break; sleep 1; done; docker network ls --filter driver=overlay --format '{{.Name}} {{.Driver}} {{.Scope}}'",
  },
  { text: "docker network inspect ingress --format '{{.Name}} {{.Driver}} {{.Ingress}} {{.Scope}}'" },
  { text: "docker network create -d overlay --label a=b back" },
  { text: "docker network create -d overlay back" },
  { text: "docker network ls --filter name=back --format '{{.Name}} {{.Driver}} {{.Scope}}'" },
  { text: "docker network inspect back --format '{{.Name}} {{.Driver}} {{json .Labels}} {{.Attachable}}'" },
  { text: "docker network inspect nosuch" },
  { text: `${create} --name joined --network back nginx`, until: { joined: "1/1" } },
  { text: "docker network rm back" },
  { text: "docker service rm joined" },
  { text: "sleep 2; docker network rm back" },
  { text: "docker network rm nosuch" },
  { text: "docker config create --label a=b settings settings.txt" },
  { text: "docker config create settings settings.txt" },
  { text: "docker config ls --format '{{.Name}} {{.Labels}}'" },
  { text: "docker config inspect settings --format '{{.Spec.Name}} {{printf \"%s\" .Spec.Data}}'" },
  { text: "docker config inspect --pretty settings" },
  { text: "docker config inspect nosuch" },
  { text: "printf hunter2 | docker secret create password -" },
  { text: "printf other | docker secret create password -" },
  { text: "docker secret ls --format '{{.Name}} {{.Driver}}'" },
  {
    text: "docker secret inspect password --format '{{.Spec.Name}} {{json .Spec.Labels}} {{json .Spec.Data}}'",
  },
  { text: "docker secret inspect --pretty password" },
  { text: "docker secret inspect nosuch" },
  {
    text: `${create} --name reader --secret password --config source=settings,target=/settings,mode=0440 busybox sleep 1000`,
    until: { reader: "1/1" },
  },
  { text: "docker service inspect reader --format '{{json .Spec.TaskTemplate.ContainerSpec.Secrets}}'" },
  { text: "docker secret rm password" },
  { text: "docker config rm settings" },
  { text: "docker service rm reader" },
  { text: "docker secret rm password" },
  { text: "docker config rm settings" },
  { text: "docker secret rm nosuch" },
  { text: "head -c 600000 /dev/zero | docker secret create big -" },
  { text: "printf x | docker secret create 'bad name' -" },

  // Logs, events and the rest.
  {
    text: `${create} --name talker busybox sh -c 'echo out; echo err >&2; sleep 1000'`,
    until: { talker: "1/1" },
  },
  { text: "docker service logs --raw talker" },
  { text: "docker service logs talker" },
  { text: "docker service logs nosuch" },
  {
    text: "docker events --since 10m --until 0s --filter type=service --filter service=talker --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'",
  },
  { text: "docker service rm talker web" },
  { text: "docker service rm web" },
  { text: "docker service rm" },
  { text: "docker service create" },
  { text: "docker service frobnicate" },
  { text: "docker service create --frobnicate nginx" },
  { text: "docker swarm init" },
  { text: "docker swarm unlock-key" },
  { text: "docker node promote nosuch" },
  { text: "docker node demote nosuch" },
  { text: "docker volume inspect nosuch" },
  { text: "docker inspect nosuch" },
];
