"""Signs in at a gateway of built-in users like a client and a person would, and returns tokens (for benches)."""

import base64
import hashlib
import html
import http.cookiejar
import json
import os
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Person:
    """A browser with cookies, and the client that sent the person there."""

    def __init__(self, resource, ca_file=None):
        self.resource = resource
        self.base = resource[: resource.index("/", 8)]
        self.open_url = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirect,
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        ).open

    def call(self, url, form=None, body=None, headers=None):
        headers = dict(headers or {})
        data = None
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(urllib.parse.urljoin(self.base, url), data=data, headers=headers)
        try:
            answer = self.open_url(request)
        except urllib.error.HTTPError as refused:
            answer = refused
        return answer.status, answer.headers, answer.read().decode()

    def submit(self, page, values):
        action = html.unescape(re.search(r'<form[^>]*action="([^"]*)"', page).group(1))
        form = {}
        for field in re.findall(r"<input[^>]*>", page):
            name = re.search(r'name="([^"]*)"', field)
            value = re.search(r'value="([^"]*)"', field)
            if name:
                form[name.group(1)] = html.unescape(value.group(1)) if value else ""
        form.update({k: v for k, v in values.items() if k in form or k == "approve"})
        return self.call(action, form=form, headers={"Origin": self.base, "Sec-Fetch-Site": "same-origin"})

    def sign_in(self, user, password, new_password):
        redirect = "http://127.0.0.1:1/callback"
        _, _, body = self.call(
            "/oauth/register",
            body={"client_name": "bench", "redirect_uris": [redirect], "token_endpoint_auth_method": "none"},
        )
        client = json.loads(body)["client_id"]
        verifier = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urllib.parse.urlencode(
            {
                "response_type": "code",
                "client_id": client,
                "redirect_uri": redirect,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
                "resource": self.resource,
                "state": "x",
            }
        )
        status, headers, page = self.call("/oauth/authorize?" + query)
        status, headers, page = self.submit(page, {"approve": "local"})
        for _ in range(5):
            if status in (302, 303):
                where = headers["Location"]
                if where.startswith(redirect):
                    break
                status, headers, page = self.call(where)
                continue
            passwords = re.findall(r'name="([^"]*)"[^>]*type="password"|type="password"[^>]*name="([^"]*)"', page)
            names = [a or b for a, b in passwords]
            values = {name: new_password for name in names} if len(names) > 1 or "new" in names[0] else {names[0]: password}
            values["user"] = user
            status, headers, page = self.submit(page, values)
        code = urllib.parse.parse_qs(urllib.parse.urlparse(headers["Location"]).query)["code"][0]
        _, _, body = self.call(
            "/oauth/token",
            form={
                "grant_type": "authorization_code",
                "code": code,
                "client_id": client,
                "redirect_uri": redirect,
                "code_verifier": verifier,
                "resource": self.resource,
            },
        )
        return json.loads(body), client
