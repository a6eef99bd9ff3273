"""What the benches stand on: the processes that are measured, what they use, and what else the machine does."""

import glob
import json
import os
import platform
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from person import Person

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PASSWORD = "a password for benches"

NGINX = """
daemon off; worker_processes {workers}; pid {dir}/nginx-{name}.pid; error_log {dir}/nginx-{name}.log crit;
events {{ worker_connections {connections}; }}
http {{
  access_log {access_log}; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir}; keepalive_requests 1000000000; tcp_nodelay on; client_max_body_size 0;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 4096; keepalive_requests 1000000000; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; proxy_buffers 8 16k;
  proxy_read_timeout 1h;
  server {{
    listen 127.0.0.1:{port} {tls};
    location / {{ proxy_pass http://up; }}
    location /mcp/events {{ proxy_pass http://up; proxy_buffering off; }}
    location /mcp/burst {{ proxy_pass http://up; proxy_buffering off; }}
    location /mcp/hold {{ proxy_pass http://up; proxy_buffering off; }}
  }}
}}
"""
NGINX_TLS = "ssl; ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.3"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_for(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if answers(port):
            return
        time.sleep(0.01)
    raise SystemExit(f"nothing listens on port {port}: {process.args}")


def pids_of(process):
    """The process and its children."""
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout
    return [process.pid] + [int(p) for p in out.split()]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def rss_bytes(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/statm") as f:
            total += int(f.read().split()[1]) * PAGE
    return total


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) * 1024


def descriptors(pids):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def machine_busy_seconds(stat=None):
    """Time that any process has run, and that the host took from us. Interrupts are nobody's, and left out."""
    if stat is None:
        with open("/proc/stat") as f:
            stat = f.readline()
    user, nice, system, _idle, _wait, _irq, _softirq, steal = (int(n) for n in stat.split()[1:9])
    return (user + nice + system + steal) / TICK


class Window:
    """What ours and the others used between `start` and `end`."""

    def __init__(self, ours):
        self.ours = ours

    def start(self):
        self.at, self.busy, self.used = time.monotonic(), machine_busy_seconds(), cpu_seconds(self.ours)

    def end(self):
        self.seconds = time.monotonic() - self.at
        used = cpu_seconds(self.ours) - self.used
        self.foreign = max(0.0, machine_busy_seconds() - self.busy - used) / self.seconds  # in cores


def wait_for_quiet(most_seconds, most_foreign=0.05):
    """Until others use less than that share of a core for half a second, or the time is over. Whether it became quiet."""
    deadline = time.monotonic() + most_seconds
    while True:
        window = Window([os.getpid()])
        window.start()
        time.sleep(0.5)
        window.end()
        if window.foreign <= most_foreign:
            return True
        if time.monotonic() > deadline:
            return False


def raise_descriptor_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((wanted, max(hard, wanted)), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits if soft < wanted else (soft, hard))
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else ""


def machine_facts(binary):
    with open("/proc/cpuinfo") as f:
        model = re.search(r"^model name\s*:\s*(.*)$", f.read(), re.M)
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"\d+", f.read()).group(0)) / 2**20
    revision = first_line("git", "-C", ROOT, "describe", "--always", "--dirty")
    return {
        "machine": f"{os.cpu_count()} cores of {model.group(1) if model else platform.machine()}, {memory:.0f} GiB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, kernel {platform.release()}",
        "gateway": f"{first_line(binary, '--version')} ({revision})",
        "nginx": first_line("nginx", "-v").replace("nginx version: ", ""),
        "OpenSSL": first_line("openssl", "version"),
        "wrk": first_line("wrk", "-v").split(" Copyright")[0],
        "command": "python3 " + " ".join(sys.argv),
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


class Running:
    """A process that is measured, or measures: `ours` are its processor's users."""

    def __init__(self, process, port, scheme="http", folder=None):
        self.process, self.port, self.scheme, self.folder = process, port, scheme, folder
        self.origin = f"{scheme}://127.0.0.1:{port}"
        self.pids = pids_of(process)

    def pin(self, cpu):
        for pid in self.pids:
            subprocess.run(["taskset", "-a", "-c", "-p", str(cpu), str(pid)], stdout=subprocess.DEVNULL, check=True)


class Rig:
    """Starts what a bench needs in a folder of its own, and ends it."""

    def __init__(self, binary, workers=1, parent=None):
        self.binary = os.path.abspath(binary)
        self.workers = workers
        self.folder = tempfile.mkdtemp(prefix="mop-bench-", dir=parent)
        os.chmod(self.folder, 0o755)
        self.running = []
        self.certificate = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for r in self.running:
            r.process.send_signal(signal.SIGTERM)
        for r in self.running:
            try:
                r.process.wait(15)
            except subprocess.TimeoutExpired:
                r.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command, port, scheme="http", folder=None, out=subprocess.DEVNULL, wait=True):
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        if wait:
            wait_for(port, process)
        running = Running(process, port, scheme, folder)
        self.running.append(running)
        return running

    def upstream(self, port=None):
        """bench/upstream.cc, out of the build folder of the binary."""
        port = port or free_port()
        program = os.path.join(os.path.dirname(self.binary), "bench_upstream")
        return self._start([program, str(port)], port)

    def tls(self):
        """(certificate, key): one for all that speak TLS here."""
        if self.certificate is None:
            self.certificate = (f"{self.folder}/cert.pem", f"{self.folder}/key.pem")
            make_certificate(*self.certificate)
        return self.certificate

    def nginx(self, name, upstream_port, tls=False, access_log=False, connections=8192):
        port = free_port()
        cert, key = self.tls() if tls else ("", "")
        path = f"{self.folder}/nginx-{name}.conf"
        with open(path, "w") as f:
            f.write(NGINX.format(
                dir=self.folder, name=name, workers=self.workers, upstream=upstream_port, port=port,
                connections=connections,
                access_log=f"{self.folder}/access-{name}.log" if access_log else "off",
                tls=NGINX_TLS.format(cert=cert, key=key).replace("ssl; ", "ssl;\n    ", 1) if tls else ""))
        return self._start(["nginx", "-c", path, "-p", self.folder], port, "https" if tls else "http")

    def gateway(self, name, upstream_port, tls=False, settings=None, port=None):
        port = port or free_port()
        folder = f"{self.folder}/{name}"
        os.makedirs(folder, exist_ok=True)
        conf = {
            "host": "127.0.0.1", "port": port, "mcp_server_url": f"http://127.0.0.1:{upstream_port}",
            "workers": self.workers, "access_token_lifetime": "8h",
            "limits": {"connections": 100_000, "logins_in_flight": 10_000_000, "sign_in_attempts": 1000},
            "rate_limits": {"requests_per_minute": 0, "sign_ins_per_minute": 0, "registrations_per_hour": 0,
                            "client_requests_per_minute": 0, "user_tokens_per_minute": 0},
            **(settings or {}),
        }
        if tls:
            cert, key = self.tls()
            conf["tls"] = {"cert_file": cert, "key_file": key}
            conf["public_url"] = f"https://127.0.0.1:{port}"
        with open(f"{folder}/config.yaml", "w") as f:
            json.dump(conf, f, indent=1)
        return self.gateway_in(folder, port, tls)

    def gateway_in(self, folder, port, tls=False):
        """A start, or another one, in a folder that holds a configuration."""
        out = open(f"{folder}/out.txt", "w")
        return self._start([self.binary], port, "https" if tls else "http", folder, out)

    def truncate_logs(self):
        for name in glob.glob(f"{self.folder}/**/*.log", recursive=True):
            os.truncate(name, 0)

    def person(self, gateway):
        return Person(f"{gateway.origin}/mcp", self.certificate[0] if gateway.scheme == "https" else None)

    def sign_in(self, gateway):
        """(tokens, client id) of the first user."""
        deadline = time.monotonic() + 10
        password = None
        while password is None and time.monotonic() < deadline:
            with open(f"{gateway.folder}/out.txt") as f:
                password = re.search(r"One-time password:\s+(\S+)", f.read())
            time.sleep(0.02)
        return self.person(gateway).sign_in("admin", password.group(1), PASSWORD)


def make_certificate(cert, key):
    """A fresh P-256 certificate for 127.0.0.1 that vouches for itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key + ".new", "-out", cert + ".new"], check=True, capture_output=True)
    os.rename(key + ".new", key)
    os.rename(cert + ".new", cert)
