"""OpenStack Swift with its S3 interface, as one process: `python swift_server.py FOLDER` prints the port it listens on.

A proxy with a real account, a real container and an in-memory object server behind it, each on a socket of its own. It
checks signatures, lifetimes and lengths of presigned links as Amazon does, which stand-ins do not.
"""

import sys
from pathlib import Path
from typing import Any

ACCESS_KEY, SECRET_KEY = "apex:tester", "swift-secret"
BUCKET = "apex-media"
POLICY_CONF = """
[swift-hash]
swift_hash_path_suffix = apex
[storage-policy:0]
name = only
default = yes
"""
PIPELINE = "catch_errors gatekeeper listing_formats s3api tempauth slo dlo proxy-server"
PROXY_CONF = """
[DEFAULT]
swift_dir = {folder}
bind_ip = 127.0.0.1
log_level = ERROR
log_address = {folder}/no-syslog
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = 1
[filter:tempauth]
use = egg:swift#tempauth
user_apex_tester = {secret} .admin
[filter:slo]
use = egg:swift#slo
rate_limit_under_size = 0
[filter:dlo]
use = egg:swift#dlo
"""


def main(folder: Path) -> None:
    """Serve until killed."""
    from swift.common import constraints, storage_policy, utils, wsgi

    utils.eventlet_monkey_patch()
    import eventlet
    from eventlet import wsgi as eventlet_wsgi

    conf = folder / "swift.conf"
    conf.write_text(POLICY_CONF)
    for module in (utils, constraints, storage_policy):
        if hasattr(module, "SWIFT_CONF_FILE"):
            module.SWIFT_CONF_FILE = str(conf)
    storage_policy.reload_storage_policies()
    utils.HASH_PATH_SUFFIX, utils.HASH_PATH_PREFIX = b"apex", b""

    devices = folder / "devices"
    (devices / "sda").mkdir(parents=True)
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in ("account", "container", "object", "proxy")}
    for name in ("account", "container", "object"):
        write_ring(folder, name, sockets[name].getsockname()[1])

    from swift.account.server import AccountController
    from swift.container.server import ContainerController
    from swift.obj.mem_server import ObjectController

    quiet: dict[str, Any] = {
        "devices": str(devices), "swift_dir": str(folder), "mount_check": "false", "log_level": "ERROR",
        "allow_versions": "true",
    }  # fmt: skip
    apps: dict[str, Any] = {
        "account": AccountController(quiet),
        "container": ContainerController(quiet),
        "object": ObjectController(quiet),
    }
    proxy_conf = folder / "proxy.conf"
    proxy_conf.write_text(PROXY_CONF.format(folder=folder, pipeline=PIPELINE, secret=SECRET_KEY))
    apps["proxy"] = wsgi.loadapp(str(proxy_conf), global_conf={"log_name": "proxy"})
    threads = [
        eventlet.spawn(eventlet_wsgi.server, sockets[name], app, log_output=False, protocol=wsgi.SwiftHttpProtocol)
        for name, app in apps.items()
    ]
    print(sockets["proxy"].getsockname()[1], flush=True)
    for thread in threads:
        thread.wait()


def write_ring(folder: Path, name: str, port: int) -> None:
    """Write where the one server of a kind is."""
    from swift.common.ring import RingBuilder

    builder = RingBuilder(1, 1, 1)
    builder.add_dev(
        {"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "device": "sda", "meta": "",
         "replication_ip": "127.0.0.1", "replication_port": port}
    )  # fmt: skip
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{name}.ring.gz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
