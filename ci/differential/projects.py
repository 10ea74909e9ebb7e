"""Makes a Compose project from a seed: files, and the arguments it is read with.

Most of it is right, so that most projects are read to the end; `good(…, bad=…)` is wrong now and then.
"""
import random

from writing import Alias, Raw, Tagged, Writer

VARIABLES = {"SET": "set", "EMPTY": "", "NUMBER": "7", "WORDS": "a 'b c' d", "DOLLAR": "x$y", "YES": "true", "URL": "http://h:1/p?q=r"}
NAMES = ["web", "db", "job"]
KNOWN = ["SET", "EMPTY", "NUMBER", "WORDS", "DOLLAR", "NONE", "FILE", "OTHER", "URL", "_u", "n0"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.writer = Writer(self.r)
        # How much goes wrong is a property of a project: most have nothing wrong at all.
        self.wrong = self.one(0, 0, 0, 0.01, 0.05)

    def one(self, *values):
        return self.r.choice(values)

    def likely(self, chance):
        return self.r.random() < chance

    def good(self, *values, bad):
        """One of the values; now and then a bad one."""
        if self.likely(self.wrong):
            return self.one(*bad) if isinstance(bad, tuple) else bad
        return self.one(*values)

    def some(self, values, most=3):
        values = list(values)
        return self.r.sample(values, self.r.randint(0, min(most, len(values))))

    def any(self, values, chance=0.4):
        """Some of the entries, which are made when they are taken."""
        made = {}
        for key, make in values.items():
            if self.likely(chance):
                made[key] = make() if callable(make) else make
        return made

    # Text

    def variable(self, depth=0):
        name = self.one(*KNOWN)
        default = self.one("d", "", "x y", "a}b", "1", "$$", "/p:q", "a:-b", "'q'", "\\")
        if depth < 3 and self.likely(0.5):
            default = self.one("", "a", "-") + self.variable(depth + 1) + self.one("", "b", " ")
        whole = [f"${name}", f"${{{name}}}", "$$", f"$${name}", f"$${{{name}}}", "${SET:?needed}", "${EMPTY?may be empty}",
                 f"${{SET:?{default}}}"]
        whole += [f"${{{name}{how}{default}}}" for how in (":-", "-", ":+", "+")]
        return self.good(*whole, bad=("${", "${A.B}", "${A:}", f"${{NONE:?{default}}}", "${NONE?}", "${}", "${A", "$",
                                      "${1}", "${A b}", "$${", "${A:-${B}"))

    def string(self):
        return self.one("x", "a b", "é", "1", "true", "y", "a=b", "a:b", "#x", "x-y", "x\ty", "a\nb", " ") + self.one("", self.variable())

    def word(self):
        return self.one("a", "b-c", "d.e", "f_g") + self.one("", "", "${NUMBER}", "${NONE:-z}")

    def scalar(self):
        return self.one(self.string(), 1, 0, 1.5, True, False, "0755", 10**6, None, "1e6", -3, Raw("0x1F"), Raw("1e3"), Raw("yes"),
                        Raw("0o17"), Raw("017"), Raw(".5"), Raw("1_000"), Raw("+1"), Raw("1:30"), 12345678901234567890, 0.1)

    def flag(self):
        return self.good(True, False, "true", "no", "${YES}", "on", "N", bad=("maybe", 1, ""))

    def number(self, *values):
        return self.good(*values, *map(str, values), "${NUMBER}", bad=("x", 1.5, ""))

    def duration(self):
        return self.good("30s", "1m30s", "0", "1.5h", "90s", "500ms", "1d", "0s", "1h1m1s1ms", "${NONE:-5s}", bad=("10", "x", "1x", 10, ""))

    def size(self):
        return self.good("64m", "1.5g", "2GiB", "0", "10kb", "512", 1024, "1 mb", "${NUMBER}m", bad=("1x", "m", "", "-1m"))

    def pairs(self):
        names = self.some(["A", "B", "SET", "NONE", "FILE", "x.y", "EMPTY"], 4)
        if self.likely(0.5):
            return {name: self.scalar() for name in names}
        return [self.one(f"{name}={self.string()}", name) for name in names]

    def argv(self):
        return self.good("run a 'b c'", ["a", "b"], "", None, "a && b", "x ${WORDS}", "echo `a b` $$x", [], ["${WORDS}", ""],
                         "a \"b\\\"c\" d\\ e", "$WORDS", bad=("a 'b", [1], {"a": 1}, 5))

    # Parts of a service

    def port(self):
        return self.good(
            "80", 80, "8080:80", "127.0.0.1:8080:80/udp", "8000-8002:80", "3000-3002:3000-3002", "[::1]:1:2", "80/tcp", "::1:5:6",
            "${NUMBER}:80", ":90", "127.0.0.1::80", "80-81", "6000-6002:7000-7002/udp", "0.0.0.0:1-2:1-2", Raw("22:22"), Raw("8:10"),
            self.any({"published": lambda: self.one(443, "443", "8080-8090"), "protocol": "udp", "mode": lambda: self.one("host", "ingress"),
                      "host_ip": lambda: self.one("10.0.0.1", "::1"), "name": "n", "app_protocol": "http"}) |
            {"target": self.one(80, "80", 81)},
            bad=("a:80", "80:b", "7-9:1-2", "1:2:3:4", "70000:80", "80/xyz", "1.2.3:1:80", {"published": 80}, {"target": "x"}, None, "", 1.5))

    def mount(self):
        long = {
            "volume": lambda: {"source": "data", "volume": self.any({"nocopy": self.flag, "subpath": "s", "labels": self.pairs})},
            "bind": lambda: {"source": self.one("./c", ".", "../up", "/abs", "~/h", "${NONE:-./v}"), "bind": self.any(
                {"create_host_path": self.flag, "propagation": "rslave", "selinux": self.one("z", "Z"),
                 "recursive": lambda: self.good("enabled", "disabled", "writable", "readonly", bad="odd")})},
            "tmpfs": lambda: {"tmpfs": self.any({"size": self.size, "mode": lambda: self.one(511, "0755", 0o1777)})},
            "image": lambda: {"source": "img", "image": self.any({"subpath": "s"})},
            "npipe": lambda: {"source": "p"},
            "cluster": lambda: {"source": "data"},
        }
        kind = self.one("volume", "volume", "bind", "bind", "tmpfs", "tmpfs", "image", "npipe", "cluster")
        made = {"type": kind, **long[kind](), "target": self.one("/a", "/d/", "/x/../y", "rel", "/t"),
                **self.any({"read_only": self.flag, "consistency": "cached"}, 0.2)}
        return self.good("./a:/a", "data:/d", "/x", "./b:/a/:ro", "data:/d:nocopy", "~/h:/h:rw,z", "./a:/s:shared", "/abs:/abs:cached",
                         ".:/dot", "..:/up", "~:/home", "./a/../b:/n", "data:/v:rw", "${NONE:-data}:/e", "./x:/x:ro,Z,rprivate",
                         made, made, made, bad=("lost:/l", "a:b:c:d", "", {"type": "disk"}, {"target": "/x"}, "::", "data:/x:odd"))

    def network(self):
        return self.any({"aliases": lambda: self.some(["a", "b", "${SET}"]), "ipv4_address": "10.0.0.9", "ipv6_address": "fd00::9",
                         "link_local_ips": ["1.1.1.1"], "mac_address": "02:42:ac:11:00:02", "priority": lambda: self.one(5, 1.5),
                         "gw_priority": 3, "interface_name": "eth7", "driver_opts": lambda: {"a": self.one(1, "b")}, "x-n": 1}, 0.2) or None

    def build(self):
        long = self.any({
            "dockerfile": "D", "args": self.pairs, "labels": self.pairs, "target": "t", "network": lambda: self.one("host", "none"),
            "ssh": lambda: self.one(["default"], {"k": "./p"}, ["a=./b"], "default"), "cache_from": lambda: self.strings(["a", "type=local,src=x"]),
            "cache_to": lambda: self.strings(["type=inline"]), "no_cache": self.flag, "pull": self.flag,
            "additional_contexts": lambda: self.one({"a": "./c", "b": "docker-image://x"}, ["a=../c", "s=service:job2"]),
            "extra_hosts": self.hosts, "isolation": "x", "privileged": self.flag, "shm_size": self.size, "tags": lambda: ["a", "b:c"],
            "secrets": self.secrets, "platforms": lambda: ["linux/amd64"], "ulimits": self.ulimits, "entitlements": lambda: ["a.b"],
            "provenance": lambda: self.one(True, "mode=max"), "sbom": lambda: self.one(False, "x"), "x-b": 1}, 0.15)
        if self.likely(0.7):
            long["context"] = self.one(".", "./dir", "../up", "/abs", "https://x/y.git#b", "git@x:y.git", "${NONE:-c}", "~/h")
        if "dockerfile" not in long and self.likely(0.2):
            long["dockerfile_inline"] = "FROM x\nRUN a $$b\n"
        return self.good(".", "./dir", long, long, long, bad=({"dockerfile": "a", "dockerfile_inline": "b"}, [], {"contexts": "."}))

    def hosts(self):
        return self.good(["a:1.1.1.1", "b=[::1]", "c=::1"], {"a": "1.1.1.1", "b": ["::1", "2.2.2.2"]}, ["h:host-gateway"], {}, bad=["nowhere"])

    def ulimits(self):
        return self.good({"nofile": 5}, {"nofile": "6"}, {"nofile": {"soft": 1, "hard": self.one(2, "3")}, "core": 0}, {"nproc": -1},
                         bad=({"nofile": {"soft": 1}}, {"nofile": "x"}))

    def files(self, one, two, target):
        return self.some([one, {"source": two, **self.any({"target": target, "mode": lambda: self.one("0440", 288, Raw("0440")),
                                                         "uid": lambda: self.one("1", "${NUMBER}"), "gid": "2"})}])

    def secrets(self):
        return self.good(self.files("s1", "s2", "t"), bad=["lost"])

    def devices(self):
        return self.one("all", [self.any({"count": lambda: self.one(1, "all", "2"), "driver": "nvidia", "options": self.pairs}) |
                                {"capabilities": self.one(["gpu"], [])}], [{"capabilities": ["x"], "device_ids": ["0", "1"]}])

    def healthcheck(self):
        return self.any({"test": lambda: self.good("true", ["CMD", "a"], ["NONE"], ["CMD-SHELL", "x $$y"], [], bad=(["x"], 5)),
                         "interval": self.duration, "timeout": self.duration, "start_period": self.duration, "start_interval": self.duration,
                         "retries": lambda: self.number(3, 0), "disable": self.flag})

    def deploy(self):
        update = {"parallelism": lambda: self.number(1, 0), "delay": self.duration, "order": lambda: self.one("start-first", "stop-first"),
                  "failure_action": "pause", "monitor": self.duration, "max_failure_ratio": lambda: self.one(0.5, "0.1", 0)}
        limits = {"memory": self.size, "cpus": lambda: self.one("0.5", 0.25, 1), "pids": lambda: self.number(5)}
        reserved = {"memory": self.size, "cpus": lambda: self.one("0.5", 0.25), "devices": lambda: [
            {"capabilities": ["gpu"], "count": self.one(1, "all"), "options": {"a": "b"}}],
            "generic_resources": lambda: [{"discrete_resource_spec": {"kind": "gpu", "value": self.one(2, "3")}}]}
        return self.any({
            "replicas": lambda: self.number(2, 0, 1), "labels": self.pairs, "mode": lambda: self.one("replicated", "global"),
            "endpoint_mode": "vip", "update_config": lambda: self.any(update), "rollback_config": lambda: self.any(update),
            "resources": lambda: {"limits": self.any(limits), **({"reservations": self.any(reserved, 0.3)} if self.likely(0.5) else {})},
            "restart_policy": lambda: self.any({"condition": "on-failure", "max_attempts": lambda: self.number(3), "delay": self.duration, "window": "1m"}),
            "placement": lambda: self.any({"constraints": ["a==b"], "preferences": lambda: [{"spread": "a"}], "max_replicas_per_node": 2})}, 0.25)

    def hooks(self):
        return [{"command": self.one("a b", ["a", "b c"]), **self.any(
            {"environment": self.pairs, "user": "u", "privileged": self.flag, "working_dir": "/w"})} for _ in range(self.r.randint(0, 2))]

    def watch(self):
        return [{"path": self.one("./src", ".", "/abs"), "action": self.good("sync", "rebuild", "sync+restart", "restart", bad="x"), "target": "/t",
                 **self.any({"ignore": lambda: self.one(["node/"], "a"), "include": ["b"], "initial_sync": lambda: self.good(True, False, bad="no")})}
                if self.likely(0.7) else {"path": "a", "action": "sync+exec", "target": "/t", "exec": {"command": "x y", **self.any({"user": "u"})}}]

    def strings(self, values):
        return self.some(values)

    def keys(self):
        """Every key of a service."""
        return {
            "command": self.argv, "entrypoint": self.argv, "environment": self.pairs, "labels": self.pairs, "sysctls": self.pairs,
            "annotations": self.pairs, "env_file": self.env_file, "label_file": lambda: self.one("l.env", ["l.env"]),
            "ports": lambda: [self.port() for _ in range(self.r.randint(0, 3))],
            "expose": lambda: self.good([], ["80"], [80, "90/udp"], ["1-3", Raw("8443")], bad=["http"]),
            "volumes": lambda: [self.mount() for _ in range(self.r.randint(0, 3))],
            "tmpfs": lambda: self.one("/run", ["/run:size=1m", "/t"], []),
            "networks": lambda: self.good(["front"], {"front": self.network(), "default": self.network()}, [], {}, ["default", "front"],
                                          {"front": self.network()}, bad=["lost"]),
            "depends_on": lambda: self.good(["job2"], {"job2": {"condition": "service_healthy"}}, ["db"], {
                "job2": {"condition": "service_started", **self.any({"required": False, "restart": self.flag})}}, [], {},
                {"job": {"condition": "service_completed_successfully", "required": False}}, bad=(["lost"], {"job2": {}}, "job2")),
            "healthcheck": self.healthcheck, "deploy": self.deploy, "build": self.build,
            "logging": lambda: self.any({"driver": lambda: self.one("local", "json-file"), "options": lambda: {"max-size": self.one("1m", 5, None, 1.5)}}),
            "ulimits": self.ulimits, "extra_hosts": self.hosts, "secrets": self.secrets,
            "configs": lambda: self.good(self.files("c1", "c2", "/etc/c"), bad=["lost"]),
            "devices": lambda: self.good([], ["/dev/a"], ["/dev/a:/dev/b:r", {"source": "/dev/c", "target": "/dev/d"}], ["v/c=x"], [
                {"source": "/dev/c", "target": "/dev/e", "permissions": "rw"}], bad=(["a:b:c:d"], [{"source": "/dev/c"}])),
            "gpus": self.devices, "cap_add": lambda: self.strings(["A", "B", "C"]), "cap_drop": lambda: self.strings(["ALL", "D"]),
            "dns": lambda: self.one("1.1.1.1", ["8.8.8.8", ""], []), "dns_opt": lambda: self.strings(["a", "b:1"]),
            "dns_search": lambda: self.one("x", ["y", "z"]), "security_opt": lambda: self.strings(["a:b", "c=d", "seccomp:./s.json"]),
            "profiles": lambda: self.strings(["p", "q"]), "group_add": lambda: self.some(["a", 5, "6"]),
            "links": lambda: self.one(["job2:x"], ["job2"]), "external_links": lambda: self.strings(["a:b", "c"]),
            "device_cgroup_rules": lambda: self.strings(["c 1:3 mr", "a 7:* rmw"]),
            "mem_limit": self.size, "mem_reservation": self.size, "memswap_limit": lambda: self.good("1g", -1, bad="-1"), "shm_size": self.size,
            "mem_swappiness": lambda: self.number(5), "cpus": lambda: self.good(0.5, "1.25", 0, 2, Raw("1e0"), bad="x"),
            "cpu_count": lambda: self.number(2), "cpu_percent": lambda: self.good("50", "1.5", bad=20), "cpu_shares": lambda: self.number(5),
            "cpu_quota": lambda: self.good(1000, "2000", bad="50ms"), "cpu_period": lambda: self.good(1000, "2000", bad="50ms"),
            "cpu_rt_runtime": lambda: self.good(95000, "1000", bad="400ms"),
            "cpu_rt_period": lambda: self.good(11000, "5", bad=("1400us", "x")),
            "cpuset": lambda: self.one("0,1", "0-3"), "pids_limit": lambda: self.number(5, -1, 0), "scale": lambda: self.number(1, 2, 0),
            "stop_grace_period": self.duration, "stop_signal": lambda: self.one("SIGINT", "9"), "init": self.flag, "tty": self.flag,
            "privileged": self.flag, "stdin_open": self.flag, "read_only": self.flag, "oom_kill_disable": self.flag, "attach": self.flag,
            "use_api_socket": lambda: self.good(True, False, bad="yes"), "user": self.string, "hostname": self.string, "domainname": self.string, "working_dir": lambda: self.one("/w", "w"),
            "restart": lambda: self.one("always", "no", "on-failure:3", "unless-stopped", "on-failure"),
            "network_mode": lambda: self.good("host", "none", "service:job2", "container:c", "bridge", bad=("service:lost", "service:")),
            "pid": lambda: self.good("host", "service:job2", bad="service:lost"), "ipc": lambda: self.good("shareable", "service:job2", bad="service:lost"),
            "uts": "host", "userns_mode": "host", "cgroup": lambda: self.one("host", "private"), "cgroup_parent": "m", "isolation": "i",
            "platform": "linux/amd64", "runtime": "runc", "container_name": lambda: self.good(self.one("cn1", "cn2", "cn_${NUMBER}"), bad="c"),
            "mac_address": lambda: self.one("02:42:ac:11:00:02", "02:42:ac:11:00:03"),
            "pull_policy": lambda: self.good("always", "if_not_present", "every_12h", "build", "missing", "never", "daily", bad="sometimes"),
            "pull_refresh_after": "1h", "oom_score_adj": lambda: self.good(5, "10", -1000, bad=5000),
            "storage_opt": lambda: {"size": "1G"}, "credential_spec": lambda: self.one({"file": "a.json"}, {"registry": "r"}, {"config": "c1"}),
            "blkio_config": lambda: self.any({"weight": lambda: self.good(100, bad="200"), "weight_device": [{"path": "/dev/a", "weight": 5}],
                                              "device_read_bps": lambda: [{"path": "/dev/a", "rate": self.size()}],
                                              "device_read_iops": lambda: [{"path": "/dev/a", "rate": self.one(5, "6")}],
                                              "device_write_bps": lambda: [{"path": "/dev/b", "rate": self.size()}],
                                              "device_write_iops": lambda: [{"path": "/dev/b", "rate": 1}]}),
            "post_start": self.hooks, "pre_stop": self.hooks, "develop": lambda: {"watch": self.watch()},
            "provider": lambda: {"type": "t", "options": {"a": self.one(1, "b", ["c", "d"], True)}},
            "models": lambda: self.good(["m1"], {"m1": self.any({"endpoint_var": "E", "model_var": "M"})}, {"m1": None}, bad=["lost"]),
            "volumes_from": lambda: self.good(["job2:ro"], ["container:x"], ["job2"], bad=["lost"]), "x-note": lambda: {"a": self.scalar()},
            "extends": self.extends,
        }

    def env_file(self):
        entry = self.any({"required": self.flag, "format": lambda: self.good("raw", bad="odd")}) | {"path": self.one("one.env", "two.env", "./sub/in.env")}
        return self.good("one.env", ["one.env", "two.env"], [{"path": "no.env", "required": False}], [entry], ["two.env", entry], "./sub/in.env",
                         "${NONE:-one.env}", bad=("no.env", ["no.env"], [{"path": "bad.env"}], "sub"))

    def extends(self):
        return self.good({"service": "base", "file": "sub/base.yaml"}, {"service": "base", "file": "./sub/base.yaml"}, "job2", {"service": "job2"},
                         {"service": "second", "file": "sub/base.yaml"}, {"service": "${NONE:-base}", "file": "sub/base.yaml"},
                         bad=({"service": "none"}, {"service": "base", "file": "no.yaml"}, "web", {"file": "sub/base.yaml"}, {"service": "none", "file": "sub/base.yaml"}))

    def service(self, base, plain=False):
        s = {}
        if base or self.likely(0.3):
            s["image"] = self.one("img", "img:${NUMBER}", "reg/img@sha256:0", "${SET:-x}/y", "r:5000/a:b")
        keys = self.keys()
        if plain:
            # A service that others take from must not need what stands elsewhere.
            for key in ("depends_on", "links", "volumes_from", "network_mode", "pid", "ipc"):
                del keys[key]
        for key in self.some(keys, 7):
            s[key] = keys[key]() if callable(keys[key]) else keys[key]
        if self.likely(self.wrong):
            s[self.one("imagee", "'<<'", "Ports", "link", "X-a")] = self.scalar()
        return s

    # Files

    def resources(self):
        top = {}
        named = lambda more: self.any({"labels": self.pairs, "name": lambda: self.one("n${NUMBER}", "${SET}", "n"), "x-r": 1, **more}, 0.3)
        if self.likely(0.95):
            top["networks"] = {"front": self.good(None, named({
                "driver": "bridge", "driver_opts": lambda: {"a": self.one(1, "b")}, "internal": self.flag, "attachable": self.flag,
                "enable_ipv4": self.flag, "enable_ipv6": self.flag, "ipam": lambda: {"driver": "d", "options": {"o": "p"}, "config": [self.any({
                    "subnet": "10.0.0.0/8", "gateway": "10.0.0.1", "ip_range": "10.1.0.0/16", "aux_addresses": lambda: {"a": "10.0.0.5"}})]}}),
                {"external": True}, {"external": True, "name": "ex"}, {"external": {"name": "old"}}, {"external": self.flag()},
                bad=({"external": True, "driver": "x"}, [], {"ipam": {"config": [{"subnet": "x"}]}}))}
            if self.likely(0.3):
                top["networks"]["default"] = self.one(None, {"name": "dflt"}, {"external": True, "name": "e"}, {"driver": "d"})
            top["volumes"] = {"data": self.good(None, named({"driver": "local", "driver_opts": lambda: {"a": self.one(1, "b"), "device": "./x"}}),
                                               {"external": True, "name": "v$$v"}, {"external": True}, bad=({"external": True, "driver": "x"}, []))}
            top["secrets"] = {"s1": self.one({"file": "./s1"}, {"file": "~/s"}, {"file": "/s", "name": "sn"}, {"file": "${NONE:-s}", "labels": self.pairs()}),
                              "s2": self.good({"environment": "SET"}, {"external": True}, {"environment": "NONE"}, {"file": "s", "x-s": 1},
                                              bad=({}, {"file": "a", "environment": "B"}, None))}
            top["configs"] = {"c1": {"content": self.string()}, "c2": self.good({"file": "c2"}, {"environment": "SET"}, {"external": True, "name": "e"},
                                                                               bad=({}, {"file": "a", "content": "b"}))}
            top["models"] = {"m1": self.any({"context_size": 5, "runtime_flags": ["--a"], "name": "mm"}) | {"model": "ai/m"}}
        return top

    def shared(self, base):
        """Moves parts of services into anchors, and takes them back by aliases and merge keys."""
        services = base["services"]
        anchors = {}
        for name in list(services):
            if self.likely(0.2) and len(services[name]) > 1:
                taken = self.some([key for key in services[name] if key != "image"], 2)
                if taken:
                    label = f"a{len(anchors)}"
                    anchors[f"x-{label}"] = Tagged(f"&{label}", {key: services[name].pop(key) for key in taken})
                    many = self.likely(0.3) and len(anchors) > 1
                    services[name][Raw("<<")] = [Alias(label), Alias("a0")] if many else Alias(label)
                    if self.likely(0.3):
                        services[name][self.one("tty", "user")] = Alias("v0")
                        anchors["x-v0"] = Tagged("&v0", self.one("yes", "no", "true"))
        return {**anchors, **base}

    def overlay(self, value, depth=0):
        """Marks a few entries `!reset` and `!override`."""
        if depth > 1 and self.likely(0.08):
            return Tagged(self.good("!reset", "!override", bad="!odd"), self.one(value, value, None, [], {}))
        if isinstance(value, dict):
            return {key: self.overlay(inner, depth + 1) for key, inner in value.items()}
        return value

    def write(self, value):
        return self.writer.document(value)

    def include(self, files, resources):
        inner = {"services": {"inc": self.service(True, plain=True)}, **self.one({}, {}, resources, self.resources())}
        inner["services"]["inc"].pop("extends", None)
        if self.likely(0.3):
            inner["services"]["inc"]["env_file"] = self.one("in.env", "../one.env")
        if self.likely(0.15):
            inner["include"] = [self.one("deep/more.yaml", {"path": ["deep/more.yaml"], "project_directory": ".."})]
        files["sub/inc.yaml"] = self.write(inner)
        files["sub/inc2.yaml"] = self.write({"services": {"inc": {"image": "two", **self.any({"ports": ["1:1"], "environment": self.pairs})}}})
        files["sub/deep/more.yaml"] = self.write({"services": {"more": {"image": "m:${OTHER}", "volumes": ["./m:/m"]}}})
        return self.good("sub/inc.yaml", {"path": "sub/inc.yaml", "env_file": "two.env"}, {"path": "sub/inc.yaml", "project_directory": "."},
                         {"path": ["sub/inc.yaml", "sub/inc2.yaml"]}, {"path": "./sub/inc.yaml", "env_file": ["two.env", "one.env"]},
                         {"path": "sub/inc.yaml", "project_directory": "sub/deep", "env_file": "sub/.env"}, "${NONE:-sub}/inc.yaml",
                         bad=("no.yaml", {"path": "sub/inc.yaml", "env_file": "no.env"}, {"path": "compose.yaml"}, {"paths": "x"}, 5))

    def project(self):
        """Files by their names, and the arguments."""
        files = {}
        names = self.some(NAMES, 3) or ["web"]
        base = {"services": {name: self.service(True) for name in sorted(set(names) | {"db", "job"})}}
        # What others refer to refers to nobody, so that not every project is a circle.
        base["services"]["job2"] = {"image": "x", "tty": True}
        self.top = self.resources()
        base.update(self.top)
        if self.likely(0.2):
            base["name"] = self.good("My.Proj", "p${NUMBER}", "x", "_a-B", bad=(5, "", "é"))
        if self.likely(0.1):
            base["version"] = self.one("3.8", "2")
        if self.likely(0.25):
            base["include"] = [self.include(files, self.top) for _ in range(self.one(1, 1, 1, 2))]
        main = self.one("compose.yaml", "compose.yaml", "compose.yml", "docker-compose.yml", "dir/main.yaml")
        files[main] = self.write(self.shared(base))
        named = main.startswith("dir/") or self.likely(0.6)
        args = ["-f", main] if named else []
        for index in range(self.r.randint(0, 2)):
            over = {"services": {name: self.service(False) for name in self.some(NAMES, 2) or ["web"]}}
            if self.likely(0.2):
                over.update({key: value for key, value in self.resources().items() if self.likely(0.4)})
            text = self.write(self.overlay(over))
            if self.likely(0.1):
                text += "---\n" + self.write({"services": {"web": self.service(False)}})
            if named:
                files[f"over{index}.yaml"] = text
                args += ["-f", f"over{index}.yaml"]
            elif index == 0:
                files[self.one("compose.override.yaml", "compose.override.yml", "docker-compose.override.yml")] = text
        files["sub/base.yaml"] = self.write({"services": {"base": self.service(True, plain=True) | {"extends": self.one("second", {"service": "second"})},
                                                          "second": {"image": "s", "build": "./ctx", "volumes": ["./r:/r"]} | self.any({
                                                              "env_file": ["in.env"], "environment": self.pairs})}, **self.resources()})
        files["sub/.env"] = "OTHER=sub\nSET=hidden\n"
        files["sub/in.env"] = self.one("IN=1\n", "IN=${OTHER:-o}\nA\n", "")
        files[".env"] = self.env_text(dot=True)
        for name in ("one.env", "two.env", "l.env"):
            files[name] = self.env_text()
        files["bad.env"] = "A=\"never closed\n"
        if main.startswith("dir/"):
            files["dir/.env"] = "FILE=dir\n"
            for name in list(files):
                # What stands beside the first file is what paths are seen from.
                if name.startswith("sub/") or name.endswith(".env") and "/" not in name and name != ".env":
                    files[f"dir/{name}"] = files[name]
        if self.likely(0.3):
            args += ["--profile", self.one("p", "q", "*")]
        if self.likely(0.05):
            args += ["-p", self.good("given", "g-1", bad="Bad.Name")]
        if self.likely(0.1):
            args += ["--env-file", self.good("one.env", "two.env", bad="no.env")]
        if self.likely(0.1):
            args += ["--project-directory", self.one("sub", ".", ".")]
        return files, args

    def env_text(self, dot=False):
        lines = ["A=1", "B", "# c", "SET=${A}", "A=\"q\\\"q\"", "C: yaml", "D=${NONE:-d}", "E='x'", "TWO=$A", "RAW='x' # y", "F=\"a\\nb\"",
                 "G=\"two\nlines\"", "", "  H = spaced ", "export I=i", "J=a#b", "K=a #b", "M=\"${SET}-$NUMBER\"", "N=$$x", "O=\\$A", "P=`x`",
                 "Q=é", "R=${A:+${B}}", "export S", "T=a=b", "U.V=w", "W=\t tab", "X=\"\"", "Y=''", "Z=\r"]
        if dot:
            lines += ["FILE=dotenv", "FILE='a b' # c", "OTHER=\"x\\n$FILE\"", "export FILE=${SET}#x", "COMPOSE_PROFILES=p"]
        chosen = self.some(lines, 5)
        return "".join(f"{line}\n" for line in chosen) + self.good("", "", "", bad=("='", "A B=1", "1a=2", "A=${", "L='it''s'", "a-b=c", "=x"))
