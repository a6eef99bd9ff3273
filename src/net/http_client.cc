#include "net/http_client.h"

#include "base/ip_address.h"
#include "base/text.h"
#include "net/curl_library.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t most_field_bytes = 64 * 1024;

struct transfer {
  http_answer answer;
  std::size_t field_bytes = 0;  // of all heads, interim ones too
  const fetch_rules* rules = nullptr;
  bool too_large = false;
  bool judges_address = false;
  std::size_t part_will_do = 0;  // events of a stream; 0: none will
  bool enough = false;           // there are as many
  std::vector<milliseconds> events = {};
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  bool refused = false;
  std::string refused_address;
};

// Events that are whole and have data: servers may begin a stream with one that has none, or a comment.
std::size_t events_with_data(std::string_view body) {
  std::size_t events = 0;
  bool data = false;
  while (!body.empty()) {
    auto size = body.find_first_of("\r\n");
    if (size == std::string_view::npos) break;
    auto line = body.substr(0, size);
    body.remove_prefix(size + (body.substr(size).starts_with("\r\n") ? 2 : 1));
    if (line.empty() && data) ++events;
    auto value = line.starts_with("data:") ? line.substr(5) : "";
    data = !line.empty() && (data || value.find_first_not_of(' ') != std::string_view::npos);
  }
  return events;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<transfer*>(user);
  if (t.answer.body.size() + size > t.rules->most_bytes) {
    t.too_large = true;
    return 0;
  }
  t.answer.body.append(data, size);
  bool stream = starts_with_ignoring_case(t.answer.fields.first("Content-Type"), "text/event-stream");
  if (t.part_will_do > 0 && stream) {
    auto now = std::chrono::steady_clock::now();
    t.events.resize(events_with_data(t.answer.body), std::chrono::duration_cast<milliseconds>(now - t.began));
    t.enough = t.events.size() >= t.part_will_do;
  }
  return t.enough ? 0 : size;
}

std::size_t on_field(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<transfer*>(user);
  t.field_bytes += size;
  if (t.field_bytes > most_field_bytes) {
    t.too_large = true;
    return 0;
  }
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (starts_with_ignoring_case(line, "HTTP/")) {
    t.answer.fields = {};  // the head of the last answer counts, not that of an interim one
    return size;
  }
  auto colon = line.find(':');
  if (colon != std::string_view::npos) {
    t.answer.fields.add(std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
  }
  return size;
}

curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& t = *static_cast<transfer*>(user);
  // A name with one address that is refused is refused as a whole: curl would go on to the next.
  if (t.refused) return CURL_SOCKET_BAD;
  if (t.judges_address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address->family == AF_INET6) {
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address->addr).sin6_addr, text, sizeof text);
    } else if (address->family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address->addr).sin_addr, text, sizeof text);
    }
    auto parsed = ip_address::parse(text);
    if (!parsed || !is_public(*parsed)) {
      t.refused = true;
      t.refused_address = text;
      return CURL_SOCKET_BAD;
    }
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// The system's authorities and those of the file, instead of one or the other.
CURLcode trust_both(CURL*, void* context, void* ca_file) {
  auto* tls = static_cast<SSL_CTX*>(context);
  SSL_CTX_set_default_verify_paths(tls);  // a machine without any is one where only the file counts
  const auto* file = static_cast<const std::string*>(ca_file);
  return SSL_CTX_load_verify_locations(tls, file->c_str(), nullptr) == 1 ? CURLE_OK
                                                                         : CURLE_SSL_CACERT_BADFILE;
}

// Called at least once a second. Anything but 0 ends the transfer.
int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
}

// ": …" where the other side speaks TLS and the URL does not say so, or the other way round; "" elsewhere.
std::string other_protocol(CURLcode code, std::string_view words, std::string_view url) {
  bool secure = starts_with_ignoring_case(url, "https:");
  if (secure && code == CURLE_SSL_CONNECT_ERROR &&
      words.find("wrong version number") != std::string_view::npos)
    return ": the server speaks no TLS here, and its URL begins with https://";
  // What is taken for HTTP/0.9 is an alert of TLS, or nothing that we could name.
  if (!secure && code == CURLE_UNSUPPORTED_PROTOCOL && words.find("HTTP/0.9") != std::string_view::npos)
    return ": the server answers with something else than HTTP; if that is TLS, its URL has to begin with "
           "https://";
  return "";
}

// What kept a request from its answer, by the names that a connection of the gateway has for it.
errc finely(CURLcode code, long cause, long tunnel_status, bool by_proxy) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY: return errc::upstream_proxy_refused;
    case CURLE_COULDNT_CONNECT:
      if (by_proxy) return errc::upstream_proxy_refused;
      return cause == ECONNREFUSED ? errc::upstream_refused : errc::fetch_failed;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return errc::upstream_tls_failed;
    case CURLE_UNSUPPORTED_PROTOCOL: return errc::upstream_malformed;
    default: return tunnel_status >= 300 ? errc::upstream_proxy_refused : errc::fetch_failed;
  }
}

// One handle a thread: its connections, names and TLS sessions are used again.
CURL* handle(const curl_library& lib) {
  struct owner {
    const curl_library& lib;
    CURL* curl = lib.easy_init();
    explicit owner(const curl_library& of) : lib(of) {}
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;
    ~owner() { lib.easy_cleanup(curl); }
  };
  thread_local const owner mine(lib);
  if (mine.curl != nullptr) lib.easy_reset(mine.curl);
  return mine.curl;
}

std::string shown_place(const std::string& address) { return address.substr(0, address.find_first_of("?#")); }

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As curl chooses it.
std::string proxy_of_environment(std::string_view scheme) {
  // http_proxy in capitals is what a request to a CGI program can set.
  auto proxy = environment(scheme == "https" ? "https_proxy" : "http_proxy");
  if (proxy.empty() && scheme == "https") proxy = environment("HTTPS_PROXY");
  if (proxy.empty()) proxy = environment("all_proxy");
  if (proxy.empty()) proxy = environment("ALL_PROXY");
  return proxy;
}

// The first address of the host, as far as this machine knows any, that is not public; "" for none. A proxy
// may read a host that is none here, with a dot at its end or in hexadecimal, as an address.
std::string inner_address_of(std::string host) {
  while (host.ends_with('.')) host.pop_back();
  if (is_disguised_address(host)) return host;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return "";
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  for (const auto* one = found; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    ::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    auto parsed = ip_address::parse(text.data());
    if (!parsed || !is_public(*parsed)) return text.data();
  }
  return "";
}

// "not over after 10 s"
std::string why_cut(CURLcode code, const transfer& t) {
  if (t.enough || code == CURLE_OK) return "";
  if (t.too_large)
    return "read as far as " + std::to_string(t.rules->most_bytes) + " bytes, and there is more";
  if (code == CURLE_OPERATION_TIMEDOUT)
    return "not over after " + std::to_string(t.rules->timeout.count()) + " s";
  return "its Content-Encoding cannot be read";
}

result<glimpse> carry_out(const http_call& call, const fetch_rules& rules, const std::string& ca_file,
                          const client_certificate& ours, std::size_t part_will_do, proxies by,
                          bool told_finely = false) {
  auto loaded = load_curl();
  if (!loaded) return tl::unexpected<error>(loaded.error());
  const auto& lib = **loaded;
  CURL* curl = handle(lib);
  if (curl == nullptr) return fail(errc::fetch_failed, "libcurl has no room");
  transfer t;
  t.rules = &rules;
  t.judges_address = rules.allowed == addresses::public_only && by != proxies::always;
  t.part_will_do = part_will_do;

  // curl sends a field as it is: a line end in it would be another field.
  for (const auto& [name, value] : call.fields) {
    if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return fail(errc::fetch_failed, "a request field holds a line end or NUL");
    }
  }
  curl_slist* list = nullptr;
  std::string encodings = part_will_do > 0 ? "identity" : "";
  for (const auto& [name, value] : call.fields) {
    if (equal_ignoring_case(name, "Accept-Encoding"))
      encodings = value;
    else
      list = lib.slist_append(list, (name + ": " + value).c_str());
  }
  list = lib.slist_append(list, "Expect:");
  std::unique_ptr<curl_slist, decltype(lib.slist_free_all)> fields(list, lib.slist_free_all);

  lib.easy_setopt(curl, CURLOPT_URL, call.url.c_str());
  if (lib.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
    return fail(errc::fetch_failed, "libcurl is older than 7.85");
  lib.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  lib.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  lib.easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(milliseconds(rules.timeout).count()));
  lib.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(milliseconds(rules.timeout).count()));
  lib.easy_setopt(curl, CURLOPT_USERAGENT, "mcp-oauth-proxy");
  lib.easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
  lib.easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  lib.easy_setopt(curl, CURLOPT_WRITEDATA, &t);
  lib.easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_field);
  lib.easy_setopt(curl, CURLOPT_HEADERDATA, &t);
  lib.easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  lib.easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &t);
  std::string proxy;
  if (by == proxies::always) {
    auto to = url::parse(call.url);
    proxy = to ? proxy_of_environment(to->scheme) : "";
    if (proxy.empty()) return fail(errc::fetch_failed, "there is no proxy");
    auto inner = rules.allowed == addresses::public_only ? inner_address_of(to->host) : "";
    if (!inner.empty())
      return fail(errc::address_refused, shown_place(call.url) + ": " + inner + " is not a public address");
    lib.easy_setopt(curl, CURLOPT_PROXY, proxy.c_str());
    lib.easy_setopt(curl, CURLOPT_NOPROXY, "");
  } else if (by == proxies::none) {
    lib.easy_setopt(curl, CURLOPT_PROXY, "");
  }
  if (!encodings.empty()) lib.easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, encodings.c_str());
  if (t.judges_address) {
    lib.easy_setopt(curl, CURLOPT_PROXY, "");
    // A kept connection was judged when it was made, under rules that may have been others.
    lib.easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    lib.easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  }
  if (rules.given_up != nullptr) {
    lib.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    lib.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
    lib.easy_setopt(curl, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(rules.given_up));
  }
  if (!ca_file.empty()) {
    lib.easy_setopt(curl, CURLOPT_CAINFO, nullptr);
    lib.easy_setopt(curl, CURLOPT_CAPATH, nullptr);
    lib.easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, &trust_both);
    lib.easy_setopt(curl, CURLOPT_SSL_CTX_DATA, const_cast<std::string*>(&ca_file));
  }
  if (!ours.certificate_file.empty()) {
    lib.easy_setopt(curl, CURLOPT_SSLCERT, ours.certificate_file.c_str());
    lib.easy_setopt(curl, CURLOPT_SSLKEY, ours.key_file.c_str());
    // A kept connection to the place may have been made as nobody.
    lib.easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    lib.easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  }
  if (call.method == "POST") {
    lib.easy_setopt(curl, CURLOPT_POST, 1L);
    lib.easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.c_str());
    lib.easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  } else if (call.method != "GET") {
    lib.easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  }

  std::array<char, CURL_ERROR_SIZE> words{};
  lib.easy_setopt(curl, CURLOPT_ERRORBUFFER, words.data());
  auto code = lib.easy_perform(curl);
  lib.easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  std::string why = lib.easy_strerror(code);
  // "Couldn't connect to server" and "SSL connect error" say what happened, and not why.
  long cause = 0;
  lib.easy_getinfo(curl, CURLINFO_OS_ERRNO, &cause);
  if (code == CURLE_COULDNT_CONNECT && cause != 0)
    why += ": " + std::generic_category().message(static_cast<int>(cause));
  bool of_tls = code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
  if (of_tls && words[0] != 0) why += std::string(": ") + words.data();
  why += other_protocol(code, words.data(), call.url);
  auto place = shown_place(call.url);
  if (t.refused)
    return fail(errc::address_refused, place + ": " + t.refused_address + " is not a public address");
  long status = 0;
  lib.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  t.answer.status = static_cast<int>(status);
  bool cut = code == CURLE_OPERATION_TIMEDOUT || code == CURLE_BAD_CONTENT_ENCODING ||
             (t.too_large && t.field_bytes <= most_field_bytes);
  if (t.enough || (part_will_do > 0 && cut && status >= 200))
    return glimpse{std::move(t.answer), why_cut(code, t), std::move(t.events)};
  if (t.too_large)
    return fail(errc::fetch_too_large,
                place + ": over " +
                    std::to_string(t.field_bytes > most_field_bytes ? most_field_bytes : rules.most_bytes) +
                    " bytes");
  if (code == CURLE_OPERATION_TIMEDOUT) return fail(errc::fetch_timeout, place + ": " + why);
  if (code != CURLE_OK) {
    long tunnel = 0;
    lib.easy_getinfo(curl, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel >= 300) why = "the proxy refuses the tunnel with status " + std::to_string(tunnel);
    auto to = url::parse(call.url);
    bool by_proxy = by == proxies::always ||
                    (by == proxies::of_environment && !t.judges_address && to && has_proxy_for(*to));
    return fail(told_finely ? finely(code, cause, tunnel, by_proxy) : errc::fetch_failed, place + ": " + why);
  }
  return glimpse{std::move(t.answer), "", std::move(t.events)};
}

result<http_answer> whole(result<glimpse> seen) {
  if (!seen) return tl::unexpected<error>(std::move(seen.error()));
  return std::move(seen->answer);
}

}  // namespace

result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file) {
  return whole(carry_out(call, rules, ca_file, client_certificate(), 0, proxies::of_environment));
}

result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file,
                          const client_certificate& ours, proxies by) {
  auto to = url::parse(call.url);
  if (by == proxies::of_environment && to && to->is_loopback()) by = proxies::none;
  return whole(carry_out(call, rules, ca_file, ours, 0, by, true));
}

result<http_answer> fetch(const http_call& call, const fetch_rules& rules, const std::string& ca_file,
                          proxies by) {
  return whole(carry_out(call, rules, ca_file, client_certificate(), 0, by));
}

result<glimpse> look(const http_call& call, const fetch_rules& rules, const std::string& ca_file, proxies by,
                     std::size_t events) {
  return carry_out(call, rules, ca_file, client_certificate(), events, by);
}

proxies way_of(const http_call& call, const fetch_rules& rules) {
  auto to = url::parse(call.url);
  bool by_proxy = to && rules.allowed == addresses::public_only && has_proxy_for(*to);
  return by_proxy ? proxies::always : proxies::of_environment;
}

bool has_proxy_for(const url& to) {
  if (proxy_of_environment(to.scheme).empty()) return false;
  auto except = environment("no_proxy");
  if (except.empty()) except = environment("NO_PROXY");
  for (char& c : except) c = c == ',' ? ' ' : to_lower(c);
  for (std::string_view one : split_words(except)) {
    if (one == "*") return false;
    while (one.starts_with('.')) one.remove_prefix(1);
    bool below = to.host.size() > one.size() && to.host.ends_with(one) &&
                 to.host[to.host.size() - one.size() - 1] == '.';
    if (!one.empty() && (to.host == one || below)) return false;
  }
  return true;
}

}  // namespace mcp_oauth::net
