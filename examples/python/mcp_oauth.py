"""libmcp_oauth for Python, by ctypes: nothing but the standard library. Copy it beside your server.

    guard = Guard({"issuer": "https://idp.example.com", "resource": "https://mcp.example.com/mcp"})
    call = guard.admit("POST", "/mcp", headers, body)
    if call.answer: send(call.answer)           # Answer(status, headers, body)
    else: send(call.filtered(200, "application/json", my_server(body, call.user.subject)))

MCP_OAUTH_LIBRARY names the library where the linker does not find libmcp_oauth.so.1.
"""

import ctypes
import json
import os
from ctypes import POINTER, Structure, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass

ABI = 1


class _Text(Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.data, self.size).decode("utf-8", "replace")

    def __bytes__(self):
        return ctypes.string_at(self.data, self.size)


_FETCH = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
_LOG = ctypes.CFUNCTYPE(None, c_void_p, c_int32, c_void_p, c_size_t, c_void_p, c_size_t)
_CLOCK = ctypes.CFUNCTYPE(c_int64, c_void_p)


class _Callbacks(Structure):
    _fields_ = [("size", c_size_t), ("fetch", _FETCH), ("fetch_data", c_void_p), ("log", _LOG), ("log_data", c_void_p),
                ("clock", _CLOCK), ("clock_data", c_void_p)]


_lib = ctypes.CDLL(os.environ.get("MCP_OAUTH_LIBRARY", "libmcp_oauth.so.1"))


def _declare(result, name, *arguments):
    function = getattr(_lib, "mcp_oauth_" + name)
    function.restype, function.argtypes = result, arguments
    return function


# Text goes in as (pointer, length), and handles are pointers.
_error_out = POINTER(c_void_p)
_text_in = (c_char_p, c_size_t)
_abi = _declare(c_int32, "abi")
version = _declare(c_char_p, "version")
_guard_new = _declare(c_void_p, "guard_new", *_text_in, POINTER(_Callbacks), _error_out)
_guard_free = _declare(None, "guard_free", c_void_p)
_prepare = _declare(c_int32, "guard_prepare", c_void_p, _error_out)
_start = _declare(c_int32, "guard_start_background_refresh", c_void_p)
_guard_status = _declare(c_void_p, "guard_status", c_void_p)
_status_json = _declare(_Text, "status_json", c_void_p)
_status_free = _declare(None, "status_free", c_void_p)
_validate = _declare(c_void_p, "validate", c_void_p, *_text_in, _error_out)
_authorize_tool = _declare(c_int32, "authorize_tool", c_void_p, c_void_p, *_text_in, _error_out)
_request_new = _declare(c_void_p, "request_new", *_text_in, *_text_in)
_request_add = _declare(None, "request_add_header", c_void_p, *_text_in, *_text_in)
_request_body = _declare(None, "request_set_body", c_void_p, *_text_in)
_request_free = _declare(None, "request_free", c_void_p)
_metadata = _declare(c_void_p, "metadata", c_void_p, c_void_p)
_admit = _declare(c_void_p, "admit", c_void_p, c_void_p)
_admission_answer = _declare(c_void_p, "admission_answer", c_void_p)
_admission_user = _declare(c_void_p, "admission_user", c_void_p)
_admission_method = _declare(_Text, "admission_method", c_void_p)
_admission_name = _declare(_Text, "admission_name", c_void_p)
_filtered = _declare(c_void_p, "admission_filtered", c_void_p, c_int32, *_text_in, *_text_in)
_admission_authorize = _declare(c_int32, "admission_authorize_tool", c_void_p, *_text_in, _error_out)
_more_count = _declare(c_size_t, "admission_answer_header_count", c_void_p)
_more_name = _declare(_Text, "admission_answer_header_name", c_void_p, c_size_t)
_more_value = _declare(_Text, "admission_answer_header_value", c_void_p, c_size_t)
_admission_free = _declare(None, "admission_free", c_void_p)
_status = _declare(c_int32, "answer_status", c_void_p)
_header_count = _declare(c_size_t, "answer_header_count", c_void_p)
_header_name = _declare(_Text, "answer_header_name", c_void_p, c_size_t)
_header_value = _declare(_Text, "answer_header_value", c_void_p, c_size_t)
_body = _declare(_Text, "answer_body", c_void_p)
_answer_free = _declare(None, "answer_free", c_void_p)
_user_text = {n: _declare(_Text, "user_" + n, c_void_p)
              for n in ("subject", "issuer", "email", "name", "username", "client_id", "claims")}
_scope_count = _declare(c_size_t, "user_scope_count", c_void_p)
_scope = _declare(_Text, "user_scope", c_void_p, c_size_t)
_user_free = _declare(None, "user_free", c_void_p)
_error_text = _declare(_Text, "error_text", c_void_p)
_error_status = _declare(c_int32, "error_status", c_void_p)
_error_reason = _declare(_Text, "error_reason", c_void_p)
_error_free = _declare(None, "error_free", c_void_p)
_fetch_method = _declare(_Text, "fetch_method", c_void_p)
_fetch_url = _declare(_Text, "fetch_url", c_void_p)
_fetch_count = _declare(c_size_t, "fetch_header_count", c_void_p)
_fetch_name = _declare(_Text, "fetch_header_name", c_void_p, c_size_t)
_fetch_value = _declare(_Text, "fetch_header_value", c_void_p, c_size_t)
_fetch_body = _declare(_Text, "fetch_body", c_void_p)
_fetch_timeout = _declare(c_uint32, "fetch_timeout_seconds", c_void_p)
_fetch_answer = _declare(None, "fetch_answer", c_void_p, c_int32, *_text_in)
_fetch_header = _declare(None, "fetch_answer_header", c_void_p, *_text_in, *_text_in)
_fetch_fail = _declare(None, "fetch_fail", c_void_p, *_text_in)

if _abi() != ABI:
    raise ImportError(f"libmcp_oauth has interface {_abi()}, this file is for {ABI}")


def _in(text):
    data = text if isinstance(text, bytes) else text.encode()
    return data, len(data)


class Refused(Exception):
    """Why not. The text is for a log, not for a client."""

    def __init__(self, handle):
        super().__init__(str(_error_text(handle)))
        self.status, self.reason = _error_status(handle), str(_error_reason(handle))
        _error_free(handle)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list
    body: bytes

    @staticmethod
    def of(handle):
        headers = [(str(_header_name(handle, i)), str(_header_value(handle, i))) for i in range(_header_count(handle))]
        return Answer(_status(handle), headers, bytes(_body(handle)))


@dataclass(frozen=True)
class User:
    subject: str
    issuer: str
    email: str
    name: str
    username: str
    client_id: str
    scopes: list
    claims: dict

    @staticmethod
    def of(handle):
        texts = {name: str(get(handle)) for name, get in _user_text.items()}
        texts["claims"] = json.loads(texts["claims"])
        return User(scopes=[str(_scope(handle, i)) for i in range(_scope_count(handle))], **texts)


class Call:
    """What becomes of a request: `answer` to send, or a call of `user` to serve."""

    def __init__(self, handle, guard):
        self._handle = handle
        # It logs and reads the clock by the guard's callbacks: a guard that was replaced ends with its last call.
        self._guard = guard
        answer, user = _admission_answer(handle), _admission_user(handle)
        self.answer = Answer.of(answer) if answer else None
        self.user = User.of(user) if user else None
        self.method, self.name = str(_admission_method(handle)), str(_admission_name(handle))

    def filtered(self, status, content_type, body):
        """The answer of the MCP server as it may go out."""
        handle = _filtered(self._handle, status, *_in(content_type), *_in(body))
        try:
            return Answer.of(handle)
        finally:
            _answer_free(handle)

    def authorize_tool(self, tool):
        """Raises Refused where this caller may not call that tool."""
        error = c_void_p()
        if not _admission_authorize(self._handle, *_in(tool), ctypes.byref(error)):
            raise Refused(error)

    def answer_headers(self):
        """For answers that go out in pieces: `filtered` has them already."""
        return [(str(_more_name(self._handle, i)), str(_more_value(self._handle, i))) for i in range(_more_count(self._handle))]

    def __del__(self):
        _admission_free(self._handle)


class Guard:
    """`fetch(method, url, headers, body, timeout)` gives (status, headers, body); without it the library fetches by
    libcurl. `log(level, message, fields)`. Exceptions of both end here. Safe from many threads."""

    def __init__(self, config, fetch=None, log=None):
        self._fetch, self._log = fetch, log
        # Kept as long as the guard and its calls: C holds no reference to them.
        self._callbacks = _Callbacks(ctypes.sizeof(_Callbacks))
        if fetch:
            self._callbacks.fetch = _FETCH(self._on_fetch)
        if log:
            self._callbacks.log = _LOG(self._on_log)
        error = c_void_p()
        self._handle = _guard_new(*_in(json.dumps(config)), ctypes.byref(self._callbacks), ctypes.byref(error))
        if not self._handle:
            raise Refused(error)

    def prepare(self):
        error = c_void_p()
        if not _prepare(self._handle, ctypes.byref(error)):
            raise Refused(error)

    def start_background_refresh(self):
        return bool(_start(self._handle))

    def status(self):
        """Which keys and which policy are there, how old they are, and what failed last."""
        handle = _guard_status(self._handle)
        try:
            return json.loads(str(_status_json(handle)))
        finally:
            _status_free(handle)

    def validate(self, token):
        error = c_void_p()
        handle = _validate(self._handle, *_in(token), ctypes.byref(error))
        if not handle:
            raise Refused(error)
        try:
            return User.of(handle)
        finally:
            _user_free(handle)

    def metadata(self, method, target):
        request = self._request(method, target, [], b"")
        try:
            handle = _metadata(self._handle, request)
        finally:
            _request_free(request)
        if not handle:
            return None
        try:
            return Answer.of(handle)
        finally:
            _answer_free(handle)

    def admit(self, method, target, headers, body):
        """`headers`: (name, value) pairs, all of them; `body`: bytes or text."""
        request = self._request(method, target, headers, body)
        try:
            return Call(_admit(self._handle, request), self)
        finally:
            _request_free(request)

    @staticmethod
    def _request(method, target, headers, body):
        request = _request_new(*_in(method), *_in(target))
        for name, value in headers:
            _request_add(request, *_in(name), *_in(value))
        _request_body(request, *_in(body))
        return request

    def _on_fetch(self, _, fetch):
        try:
            headers = [(str(_fetch_name(fetch, i)), str(_fetch_value(fetch, i))) for i in range(_fetch_count(fetch))]
            status, got, body = self._fetch(str(_fetch_method(fetch)), str(_fetch_url(fetch)), headers,
                                            bytes(_fetch_body(fetch)), _fetch_timeout(fetch))
            for name, value in got:
                _fetch_header(fetch, *_in(name), *_in(value))
            _fetch_answer(fetch, status, *_in(body))
        except Exception as why:  # must not cross into C
            _fetch_fail(fetch, *_in(str(why)))

    def _on_log(self, _, level, message, message_size, fields, fields_size):
        try:
            text = ctypes.string_at(message, message_size).decode()
            self._log(level, text, json.loads(ctypes.string_at(fields, fields_size)))
        except Exception:  # must not cross into C, and there is nobody to tell
            pass

    def __del__(self):
        if getattr(self, "_handle", None):
            _guard_free(self._handle)
