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


REDIRECT = "http://127.0.0.1:1/callback"


class Refused(Exception):
    """The gateway answered, and it was a refusal."""


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
        found = re.search(r'<form[^>]*action="([^"]*)"', page)
        if not found:
            raise Refused(f"a page without a form: {page[:500]}")
        action = html.unescape(found.group(1))
        form = {}
        for field in re.findall(r"<input[^>]*>", page):
            name = re.search(r'name="([^"]*)"', field)
            value = re.search(r'value="([^"]*)"', field)
            if name:
                form[name.group(1)] = html.unescape(value.group(1)) if value else ""
        form.update({k: v for k, v in values.items() if k in form or k == "approve"})
        return self.call(action, form=form, headers={"Origin": self.base, "Sec-Fetch-Site": "same-origin"})

    def register(self):
        """The id of a new public client."""
        status, _, body = self.call(
            "/oauth/register",
            body={"client_name": "bench", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"},
        )
        assert status == 201, body
        return json.loads(body)["client_id"]

    def sign_in(self, user, password, new_password):
        """(tokens, client id) of a new client; chooses `new_password` when it is asked to choose one."""
        client = self.register()
        return self.authorize(client, user, password, new_password), client

    def authorize(self, client, user, password, new_password=None):
        """From the client's first redirect to its tokens, answering what the browser is shown."""
        verifier = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urllib.parse.urlencode(
            {
                "response_type": "code",
                "client_id": client,
                "redirect_uri": REDIRECT,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
                "resource": self.resource,
                "state": "x",
            }
        )
        status, headers, page = self.call("/oauth/authorize?" + query)
        for _ in range(8):
            if status in (302, 303):
                where = headers["Location"]
                if where.startswith(REDIRECT):
                    break
                status, headers, page = self.call(where)
                continue
            passwords = re.findall(r'name="([^"]*)"[^>]*type="password"|type="password"[^>]*name="([^"]*)"', page)
            names = [a or b for a, b in passwords]
            if not names:
                values = {"approve": "local"}
            elif len(names) > 1 or "new" in names[0]:
                values = {name: new_password for name in names}
            else:
                values = {names[0]: password}
            values["user"] = user
            status, headers, page = self.submit(page, values)
        else:
            raise Refused(f"no redirect to the client, but {status}: {page[:500]}")
        answer = urllib.parse.parse_qs(urllib.parse.urlparse(headers["Location"]).query)
        if "code" not in answer:
            raise Refused(f"no code, but {answer}")
        status, _, body = self.call(
            "/oauth/token",
            form={
                "grant_type": "authorization_code",
                "code": answer["code"][0],
                "client_id": client,
                "redirect_uri": REDIRECT,
                "code_verifier": verifier,
                "resource": self.resource,
            },
        )
        if status != 200:
            raise Refused(f"the code was not redeemed: {status} {body}")
        return json.loads(body)
