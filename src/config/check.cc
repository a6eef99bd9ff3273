#include "config/check.h"

#include "base/text.h"
#include "base/url.h"
#include "config/config_error.h"
#include "config/nearest_name.h"
#include "config/settings.h"
#include "provider/known_providers.h"
#include "provider/user_endpoint.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <arpa/inet.h>

namespace mcp_oauth::checks {
namespace {

using flaw = std::optional<config_flaw>;
constexpr auto fine = std::nullopt;

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z'); }

template <class Predicate>
bool all_are(std::string_view text, Predicate ok) {
  return std::all_of(text.begin(), text.end(), ok);
}

bool is_address(std::string_view text, int family) {
  std::array<unsigned char, 16> bytes{};
  return text.find('\0') == std::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '-' || text.front() == '.') return false;
  return all_are(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; }) &&
         text.find("..") == std::string_view::npos;
}

// What examples have where a secret belongs: compared without case, marks and blanks.
bool is_placeholder(std::string_view text) {
  std::string letters;
  for (char c : text) {
    if (is_alphanumeric(c)) letters += to_lower(c);
  }
  if (letters.empty()) return false;  // "***" is how a dump of ours shows a secret
  if (letters.find_first_not_of(letters.front()) == std::string::npos) return true;
  for (std::string_view word :
       {"changeme", "changethis", "replaceme", "replacewith", "placeholder", "insertyour", "yoursecret",
        "yourclientsecret", "yourkey", "yourpassword", "yourjwtsecret", "256bitsecret", "stringsecret",
        "secretkeyhere", "supersecret", "topsecret"}) {
    if (letters.find(word) != std::string::npos) return true;
  }
  for (std::string_view word :
       {"secret", "clientsecret", "mysecret", "password", "example", "examplesecret", "test", "testsecret",
        "default", "dummy", "fixme", "redacted", "todo", "none", "null", "undefined"}) {
    if (letters == word) return true;
  }
  return false;
}

// 32 bytes that nobody drew by lot: text, few different ones, or steps. Of random ones not one in 10^10 is
// refused.
bool looks_made_up(std::string_view bytes) {
  std::string sorted(bytes);
  std::sort(sorted.begin(), sorted.end());
  auto different = std::unique(sorted.begin(), sorted.end()) - sorted.begin();
  bool is_text = all_are(bytes, [](char c) { return c >= 0x20 && c < 0x7F; });
  bool is_steps = true;
  for (std::size_t i = 2; i < bytes.size(); ++i) {
    is_steps = is_steps && static_cast<unsigned char>(bytes[i] - bytes[i - 1]) ==
                               static_cast<unsigned char>(bytes[1] - bytes[0]);
  }
  return different < 16 || is_text || is_steps;
}

// The parts that every http(s) URL in the file must have or not have.
flaw http_url(std::string_view value, url& parts) {
  if (value.find("://") == std::string_view::npos) {
    return config_flaw{"must be an absolute URL", "begin with http:// or https://"};
  }
  auto parsed = url::parse(value);
  if (!parsed) return config_flaw{"must be a URL: " + parsed.error().detail};
  parts = *parsed;
  if (!parts.is_http()) return config_flaw{"must begin with http:// or https://"};
  if (parts.has_fragment) return config_flaw{"must not have a fragment (#…)"};
  if (parts.has_query) return config_flaw{"must not have a query (?…)"};
  return fine;
}

}  // namespace

flaw listen_host(std::string_view value) {
  if (is_address(value, AF_INET) || is_address(value, AF_INET6)) return fine;
  if (value.find("://") != std::string_view::npos) {
    return config_flaw{"must be an address to listen on, not a URL",
                       "127.0.0.1, or 0.0.0.0 for every interface"};
  }
  if (value.find(':') != std::string_view::npos) {
    return config_flaw{"must be an address without a port", "the port has a key of its own: port"};
  }
  bool looks_like_ipv4 =
      !value.empty() && all_are(value, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (!is_host_name(value) || looks_like_ipv4) {
    return config_flaw{"must be an IP address or a host name", "127.0.0.1, or 0.0.0.0 for every interface"};
  }
  return fine;
}

flaw public_origin(std::string_view value) {
  url parts;
  if (auto bad = http_url(value, parts)) return bad;
  if (parts.origin() != value) {
    return config_flaw{
        "must be an origin: scheme, host and port, without a "
        "path or a trailing slash",
        "write " + parts.origin()};
  }
  return fine;
}

flaw callback(std::string_view value) {
  url parts;
  if (auto bad = http_url(value, parts)) return bad;
  if (std::find(std::begin(callback_paths), std::end(callback_paths), parts.path) !=
      std::end(callback_paths)) {
    return fine;
  }
  std::string path = parts.path;
  while (path.ends_with('/')) path.pop_back();
  bool known =
      std::find(std::begin(callback_paths), std::end(callback_paths), path) != std::end(callback_paths);
  return config_flaw{
      "must have the path /auth/callback, /oauth/callback or "
      "/callback, without a trailing slash",
      "write " + parts.origin() + (known ? path : std::string(callback_paths[0]))};
}

// One that is misspelt. libpq would say the same, and later; a newer one may know more.
flaw database_parameters(std::string_view place) {
  static const std::vector<std::string> known = {"host",
                                                 "hostaddr",
                                                 "port",
                                                 "dbname",
                                                 "user",
                                                 "password",
                                                 "passfile",
                                                 "require_auth",
                                                 "channel_binding",
                                                 "connect_timeout",
                                                 "client_encoding",
                                                 "options",
                                                 "application_name",
                                                 "fallback_application_name",
                                                 "keepalives",
                                                 "keepalives_idle",
                                                 "keepalives_interval",
                                                 "keepalives_count",
                                                 "tcp_user_timeout",
                                                 "replication",
                                                 "gssencmode",
                                                 "sslmode",
                                                 "ssl",
                                                 "requiressl",
                                                 "sslnegotiation",
                                                 "sslcompression",
                                                 "sslcert",
                                                 "sslkey",
                                                 "sslpassword",
                                                 "sslcertmode",
                                                 "sslrootcert",
                                                 "sslcrl",
                                                 "sslcrldir",
                                                 "sslsni",
                                                 "requirepeer",
                                                 "ssl_min_protocol_version",
                                                 "ssl_max_protocol_version",
                                                 "min_protocol_version",
                                                 "max_protocol_version",
                                                 "krbsrvname",
                                                 "gsslib",
                                                 "gssdelegation",
                                                 "service",
                                                 "servicefile",
                                                 "target_session_attrs",
                                                 "load_balance_hosts"};
  auto query = place.find('?');
  if (query == std::string_view::npos) return fine;
  for (const auto& parameter : split_words(place.substr(query + 1), '&')) {
    auto name = parameter.substr(0, parameter.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (auto meant = nearest_name(name, known); !meant.empty())
      return config_flaw{"has the parameter " + displayed(name) + ", which PostgreSQL does not know",
                         "did you mean " + meant + "?"};
  }
  return fine;
}

flaw database(std::string_view value) {
  if (value.starts_with("sqlite://")) {
    if (value == "sqlite://") return config_flaw{"must name a file", "write sqlite://oauth.db"};
    return fine;
  }
  for (std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (!value.starts_with(scheme)) continue;
    auto place = value.substr(scheme.size());
    auto before_query = place.substr(0, place.find('?'));
    if (before_query.find('@') != before_query.rfind('@')) {
      return config_flaw{"must have one @", "write %40 for an @ in the password"};
    }
    if (value.find_first_of(" #") != std::string_view::npos) {
      return config_flaw{"must hold neither a space nor a #", "percent-encode the password: %20, %23"};
    }
    return database_parameters(place);
  }
  return config_flaw{"must begin with sqlite:// or postgresql://",
                     "write sqlite://oauth.db or postgresql://user:password@host:5432/name"};
}

flaw encryption_key(std::string_view value) {
  constexpr std::string_view make_one = "make one: openssl rand -base64 32";
  auto bytes = decode_encryption_key(value);
  if (!bytes) {
    return config_flaw{"must be exactly 32 bytes in base64, base64url or hex", std::string(make_one)};
  }
  if (looks_made_up(*bytes)) {
    return config_flaw{"must be random bytes, and these are text or follow a pattern", std::string(make_one)};
  }
  return fine;
}

flaw provider_secret(std::string_view value) {
  if (value.empty() || !is_placeholder(value)) return fine;
  return config_flaw{"must be the secret itself, and this is what examples have in its place",
                     "copy it from the provider, or write ${NAME} for an environment variable"};
}

flaw shared_secret(std::string_view value) {
  constexpr std::size_t shortest = 32;  // RFC 7518 §3.2: as long as the digest
  std::string different(value);
  std::sort(different.begin(), different.end());
  auto letters = std::unique(different.begin(), different.end()) - different.begin();
  if (value.size() >= shortest && letters >= 10 && !is_placeholder(value)) return fine;
  return config_flaw{"must have at least 32 bytes that nobody can guess, and be in no example",
                     "make one: openssl rand -base64 32"};
}

flaw client_secret(std::string_view value) {
  constexpr std::size_t shortest = 22;  // 128 bits in base64url (RFC 6749 §10.10)
  if (value.size() >= shortest && !is_placeholder(value)) return fine;
  return config_flaw{"must have at least 22 characters that nobody can guess",
                     "make one: openssl rand -base64 32"};
}

flaw upstream_url(std::string_view value) {
  url parts;
  return http_url(value, parts);
}

flaw resource(std::string_view value) {
  auto parsed = url::parse(value);
  if (!parsed) return config_flaw{"must be an absolute URI: " + parsed.error().detail};
  if (parsed->has_fragment) return config_flaw{"must not have a fragment (#…)"};
  if (parsed->is_http() && parsed->path == "/")
    return config_flaw{"must not end in a slash", "write " + parsed->origin()};
  return fine;
}

flaw issuer(std::string_view value) {
  if (value.find("/.well-known/") != std::string_view::npos) {
    return config_flaw{"must be the issuer itself, not its metadata document",
                       "write " + std::string(value.substr(0, value.find("/.well-known/")))};
  }
  url parts;
  return http_url(value, parts);
}

flaw cors_origin(std::string_view value) {
  if (value == "*") return fine;
  if (value == "null") return config_flaw{"must not be null: every sandboxed page has that origin"};
  bool any_port = value.ends_with(":*");
  auto base = any_port ? value.substr(0, value.size() - 2) : value;
  if (base.find('*') != std::string_view::npos) {
    return config_flaw{"may have * only alone or for the port", "http://localhost:*"};
  }
  if (base.find("://") == std::string_view::npos) {
    return config_flaw{"must be an origin: scheme, host and port", "begin with https:// or http://"};
  }
  auto parsed = url::parse(base);
  if (!parsed) return config_flaw{"must be an origin: " + parsed.error().detail};
  if (parsed->host.empty()) return config_flaw{"must be an origin: it has no host"};
  if (any_port && parsed->port != 0) return config_flaw{"must be an origin: it has two ports"};
  if (parsed->origin() == base) return fine;
  return config_flaw{
      "must be an origin: scheme, host and port, without a path "
      "or a trailing slash",
      "write " + parsed->origin() + (any_port ? ":*" : "")};
}

flaw cidr(std::string_view value) {
  auto slash = value.find('/');
  auto address = value.substr(0, slash);
  bool ipv4 = is_address(address, AF_INET);
  if (!ipv4 && !is_address(address, AF_INET6)) {
    return config_flaw{"must be an IP address or a prefix", "10.0.0.0/8 or fd00::/8"};
  }
  if (slash == std::string_view::npos) return fine;
  auto digits = value.substr(slash + 1);
  auto length = digits.size() <= 3 ? parse_decimal(digits) : std::nullopt;
  if (!length || *length > (ipv4 ? 32U : 128U)) {
    return config_flaw{std::string("must have a prefix length from 0 to ") + (ipv4 ? "32" : "128")};
  }
  return fine;
}

flaw header_name(std::string_view value) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  bool ok = !value.empty() && all_are(value, [&](char c) {
    return is_alphanumeric(c) || marks.find(c) != std::string_view::npos;
  });
  if (!ok) return config_flaw{"must be a header name, * standing for any run of characters", "X-User-*"};
  return fine;
}

flaw public_path(std::string_view value) {
  if (value.ends_with("/*")) value.remove_suffix(2);
  bool ok = value.size() > 1 && value.front() == '/' && value.back() != '/' && all_are(value, [](char c) {
              return is_alphanumeric(c) || c == '/' || c == '-' || c == '_' || c == '.' || c == '~';
            });
  ok = ok && value.find("//") == std::string_view::npos && value.find("/.") == std::string_view::npos;
  if (!ok) {
    return config_flaw{
        "must be a path: begin with /, not end in it, plain "
        "characters, no part that begins with a dot",
        "write /mcp"};
  }
  auto first = value.substr(0, value.find('/', 1));
  for (std::string_view own : {"/auth", "/oauth", "/authorize", "/token", "/register", "/revoke",
                               "/introspect", "/callback", "/health", "/ready", "/metrics"}) {
    if (first == own)
      return config_flaw{"must not begin with " + std::string(own) + ", which the gateway serves itself"};
  }
  return fine;
}

flaw item_name(std::string_view value) {
  bool ok = !value.empty() && value.size() <= 64 &&
            all_are(value, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
  if (!ok) return config_flaw{"must be a name of letters, digits, - and _, at most 64"};
  return fine;
}

flaw visible_text(std::string_view value) {
  bool ok = !value.empty() && all_are(value, [](char c) { return c >= 0x20 && c < 0x7F; });
  if (!ok) return config_flaw{"must be printable ASCII and not empty"};
  return fine;
}

flaw redirect_uri(std::string_view value) {
  auto parsed = url::parse(value);
  if (!parsed) return config_flaw{"must be an absolute URI: " + parsed.error().detail};
  if (parsed->has_fragment) return config_flaw{"must not have a fragment (#…)"};
  if (value.find('*') != std::string_view::npos)
    return config_flaw{"must be exact: * is not a wildcard here"};
  if (parsed->scheme == "http" && !parsed->is_loopback()) {
    return config_flaw{"must use https unless the host is a loopback address"};
  }
  for (std::string_view never : {"javascript", "data", "vbscript", "file", "blob", "about", "ws", "wss"}) {
    if (parsed->scheme == never) return config_flaw{"must not have the scheme " + std::string(never)};
  }
  return fine;
}

flaw uri_scheme(std::string_view value) {
  bool ok = !value.empty() && to_lower(value.front()) >= 'a' && to_lower(value.front()) <= 'z' &&
            all_are(value, [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; });
  if (!ok) return config_flaw{"must be a URI scheme, without ://", "cursor"};
  for (std::string_view never :
       {"http", "https", "javascript", "data", "vbscript", "file", "blob", "about"}) {
    if (equal_ignoring_case(value, never))
      return config_flaw{"must be a scheme of an application of its own"};
  }
  return fine;
}

flaw domain(std::string_view value) {
  if (value.find('@') != std::string_view::npos) {
    return config_flaw{"must be a domain without @", "single addresses belong in allowed_users"};
  }
  if (!is_host_name(value) || value.find('.') == std::string_view::npos) {
    return config_flaw{"must be a domain", "example.com"};
  }
  return fine;
}

flaw prompt(std::string_view value) {
  for (const auto& word : split_words(value)) {
    if (word != "login" && word != "consent" && word != "select_account" && word != "none") {
      return config_flaw{"must be login, consent, select_account or none"};
    }
    // A person has to be able to sign in: none alone always fails for whoever
    // is not.
    if (word == "none" && split_words(value).size() > 1) return config_flaw{"must not join none with others"};
  }
  return fine;
}

flaw provider_type(std::string_view value) {
  if (value == "local" || value == "hmac" || find_known_provider(value) != nullptr) return fine;
  std::vector<std::string> names;
  for (const auto& row : known_providers()) names.emplace_back(row.type);
  names.emplace_back("local");
  names.emplace_back("hmac");
  auto meant = nearest_name(value, names);
  return config_flaw{"must be one of " + join(names, ", "),
                     meant.empty() ? "" : "did you mean " + meant + "?"};
}

flaw tenant(std::string_view value) {
  if (is_host_name(value)) return fine;
  return config_flaw{"must be a directory's id or domain, or common, organizations or consumers",
                     "copy Directory (tenant) ID from the app registration"};
}

flaw endpoint_url(std::string_view value) {
  auto parsed = url::parse(value);
  if (!parsed) return config_flaw{"must be a URL: " + parsed.error().detail};
  if (!parsed->is_http()) return config_flaw{"must begin with http:// or https://"};
  if (parsed->has_fragment) return config_flaw{"must not have a fragment (#…)"};
  return fine;
}

flaw provider_callback(std::string_view value) {
  url parts;
  if (auto bad = http_url(value, parts)) return bad;
  if (!parts.path.starts_with(provider_callback_path) ||
      item_name(std::string_view(parts.path).substr(provider_callback_path.size()))) {
    return config_flaw{
        "must have the path " + std::string(provider_callback_path) + "NAME",
        "write " + parts.origin() + std::string(provider_callback_path) + "NAME with the provider's name"};
  }
  return fine;
}

flaw organization(std::string_view value) {
  if (is_organization_entry(value)) return fine;
  return config_flaw{"must be an organization or organization/team, as they stand in the URL of their page",
                     "acme, acme/platform"};
}

flaw pkce_enabled(std::string_view value) {
  if (equal_ignoring_case(value, "true")) return fine;
  return config_flaw{"must be true: PKCE is always used", "remove the line"};
}

flaw challenge_method(std::string_view value) {
  if (value == "S256") return fine;
  if (equal_ignoring_case(value, "plain")) {
    return config_flaw{std::string(explain(errc::pkce_method_plain).description), "write S256"};
  }
  return config_flaw{"must be S256"};
}

flaw host_name(std::string_view value) {
  auto parsed = url::parse("http://" + std::string(value));
  if (parsed && !parsed->host.empty() && parsed->path.empty() && !parsed->has_query &&
      !parsed->has_fragment) {
    return fine;
  }
  return config_flaw{"must be a host name, with its port or without", "mail.example.com"};
}

flaw injected_header(std::string_view value) {
  std::vector<std::string> known;
  for (auto name : injected_headers) {
    if (equal_ignoring_case(name, value)) return fine;
    known.emplace_back(name);
  }
  return config_flaw{"must be one of " + join(known, ", ")};
}

flaw field_name(std::string_view value) {
  for (std::string_view ours : {"timestamp", "level", "component", "message", "namespace"}) {
    if (value == ours) return config_flaw{"is a name that every line has already", "choose another"};
  }
  bool plain = !value.empty() && value.size() <= 64 && std::all_of(value.begin(), value.end(), [](char c) {
    return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("_-.").find(c) != std::string_view::npos;
  });
  if (plain) return fine;
  return config_flaw{"must be a name of letters, digits, _, - and ., at most 64"};
}

flaw field_token(std::string_view value) {
  if (equal_ignoring_case(value, "content-type") || equal_ignoring_case(value, "content-length") ||
      equal_ignoring_case(value, "host"))
    return config_flaw{"is set by the gateway", "remove it"};
  bool token = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
  if (token) return fine;
  return config_flaw{"must be the name of a header field"};
}

flaw percentage(std::string_view value) {
  if (parse_percentage(value)) return fine;
  return config_flaw{"must be a number from 0 to 100", "100, 5, 0.25"};
}

flaw answer_header(std::string_view value) {
  if (value.find('*') != std::string_view::npos) return config_flaw{"must be one header name, without *"};
  if (auto bad = header_name(value)) return config_flaw{"must be a header name", "X-Served-By"};
  if (auto why = why_kept(value); !why.empty()) return config_flaw{std::string(why)};
  return fine;
}

flaw removed_header(std::string_view value) {
  if (value.find('*') == std::string_view::npos) return answer_header(value);
  if (auto bad = header_name(value)) return bad;
  for (std::string_view kept :
       {"content-type", "content-length", "content-encoding", "transfer-encoding", "date", "vary",
        "www-authenticate", "mcp-session-id", "access-control-allow-origin"}) {
    if (matches_wildcard(to_lower(value), std::string(kept)))
      return config_flaw{"would remove " + std::string(kept) + ", which " + std::string(why_kept(kept)),
                         "write a narrower pattern"};
  }
  return fine;
}

}  // namespace mcp_oauth::checks

namespace mcp_oauth {

std::string_view why_kept(std::string_view header) {
  auto name = to_lower(header);
  std::replace(name.begin(), name.end(), '_', '-');
  auto is_one_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is_one_of({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
                 "content-length", "http2-settings"}) ||
      name.starts_with("proxy-")) {
    return "belongs to the connection and must stay as it is";
  }
  if (is_one_of({"content-type", "content-encoding", "content-range", "date", "vary"}))
    return "says what the answer is and must stay as it is";
  if (name.starts_with("mcp-")) return "belongs to MCP and must stay as it is";
  if (name.starts_with("access-control-")) return "follows from cors and must stay as it is";
  if (is_one_of({"www-authenticate", "set-cookie", "x-request-id", "x-accel-buffering"}))
    return "is said by the gateway itself";
  return "";
}

}  // namespace mcp_oauth
