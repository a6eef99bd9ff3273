#include "doctor/known_clients.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

client_manners claude() {
  client_manners c;
  c.name = "claude";
  c.title = "Claude (web, Desktop)";
  c.hosted = true;
  c.reads_challenge = known::yes;
  c.path_form = known::yes;
  c.root_form = known::yes;
  c.without_resource = known::yes;
  c.openid_forms = known::yes;
  c.s256_announced = known::yes;
  c.documents = known::yes;
  c.registers = known::yes;
  c.fixed = known::yes;
  c.old_transport = known::yes;
  c.redirects = "https://claude.ai/api/mcp/auth_callback, https://claude.com/api/mcp/auth_callback";
  c.scopes = "those of the challenge, else all of scopes_supported";
  c.source = "support.claude.com 11503834; anthropics/claude-ai-mcp 155, 315, 946";
  return c;
}

client_manners claude_code() {
  client_manners c;
  c.name = "claude-code";
  c.title = "Claude Code";
  c.reads_challenge = known::yes;
  c.goes_on = known::no;
  c.path_form = known::yes;
  c.root_form = known::yes;
  c.without_resource = known::yes;
  c.openid_forms = known::yes;
  c.resource = resource_rule::above;
  c.s256_announced = known::no;
  c.documents = known::yes;
  c.registers = known::yes;
  c.fixed = known::yes;
  c.old_transport = known::yes;
  c.redirects = "http://localhost:PORT/callback";
  c.scopes = "oauth.scopes of its settings, else of the metadata";
  c.source = "its documentation of MCP; the TypeScript SDK, which it uses";
  return c;
}

client_manners chatgpt() {
  client_manners c;
  c.name = "chatgpt";
  c.title = "ChatGPT";
  c.hosted = true;
  c.reads_challenge = known::yes;
  c.root_form = known::yes;
  c.openid_forms = known::yes;
  c.resource = resource_rule::exact;
  c.s256_announced = known::yes;
  c.documents = known::yes;
  c.registers = known::yes;
  c.fixed = known::yes;
  c.redirects = "one of its own for each connector, below https://chatgpt.com/";
  c.scopes = "scopes_supported of the resource";
  c.source = "developers.openai.com/plugins/build/auth";
  return c;
}

client_manners vscode() {
  client_manners c;
  c.name = "vscode";
  c.title = "VS Code";
  c.reads_challenge = known::yes;
  c.goes_on = known::yes;
  c.path_form = known::yes;
  c.root_form = known::yes;
  c.without_resource = known::yes;
  c.openid_forms = known::yes;
  c.resource = resource_rule::exact;
  c.compares_issuer = known::no;
  c.s256_announced = known::no;
  c.documents = known::yes;
  c.registers = known::yes;
  c.fixed = known::yes;
  c.old_transport = known::yes;
  c.redirects = "https://vscode.dev/redirect, https://insiders.vscode.dev/redirect, http://127.0.0.1:PORT/";
  c.scopes = "all of scopes_supported";
  c.source = "microsoft/vscode src/vs/base/common/oauth.ts; issues 278512, 316235";
  return c;
}

client_manners cursor() {
  client_manners c;
  c.name = "cursor";
  c.title = "Cursor";
  c.path_form = known::yes;
  c.openid_forms = known::unknown;
  c.registers = known::yes;
  c.fixed = known::yes;
  c.old_transport = known::yes;
  c.redirects =
      "http://localhost:8787/callback, https://www.cursor.com/agents/mcp/oauth/callback, "
      "cursor://anysphere.cursor-mcp/oauth/callback";
  c.scopes = "all of scopes_supported";
  c.source = "cursor.com/docs/mcp; better-auth 10946";
  return c;
}

client_manners inspector() {
  client_manners c;
  c.name = "inspector";
  c.title = "MCP Inspector";
  c.browser = true;
  c.reads_challenge = known::yes;
  c.goes_on = known::no;
  c.path_form = known::yes;
  c.root_form = known::yes;
  c.without_resource = known::yes;
  c.openid_forms = known::yes;
  c.resource = resource_rule::above;
  c.s256_announced = known::no;
  c.documents = known::unknown;
  c.registers = known::yes;
  c.fixed = known::yes;
  c.old_transport = known::yes;
  c.redirects = "http://localhost:6274/oauth/callback, http://localhost:6274/oauth/callback/debug";
  c.scopes = "those of the challenge, else scopes_supported of the resource";
  c.source = "modelcontextprotocol/inspector 758; the TypeScript SDK, which it uses";
  return c;
}

client_manners codex() {
  client_manners c;
  c.name = "codex";
  c.title = "Codex";
  c.reads_challenge = known::yes;
  c.path_form = known::yes;
  c.root_form = known::yes;
  c.without_resource = known::yes;
  c.openid_forms = known::yes;
  c.resource = resource_rule::exact_or_root;
  c.documents = known::yes;
  c.registers = known::yes;
  c.fixed = known::yes;
  c.old_transport = known::no;
  c.redirects = "http://127.0.0.1:PORT/callback";
  c.scopes = "those of the challenge, else scopes_supported of the resource";
  c.source = "developers.openai.com/codex MCP; rmcp auth.rs, which it uses";
  return c;
}

client_manners bridge() {
  client_manners c;
  c.name = "bridge";
  c.title = "mcp-oauth-proxy bridge";
  c.reads_challenge = known::yes;
  c.goes_on = known::yes;
  c.path_form = known::yes;
  c.root_form = known::yes;
  c.without_resource = known::yes;
  c.openid_forms = known::yes;
  c.resource = resource_rule::above;
  c.compares_issuer = known::yes;
  c.s256_announced = known::yes;
  c.documents = known::no;  // unless one is configured
  c.registers = known::yes;
  c.fixed = known::yes;
  c.old_transport = known::yes;
  c.redirects = "http://127.0.0.1:PORT/callback";
  c.scopes = "those of the challenge, else scopes_supported of the resource";
  c.source = "docs/guide/bridge.md";
  return c;
}

// One walk. The first thing that stops it, and the first that is not known, are kept.
class walk {
 public:
  walk(const client_manners& client, const site_facts& facts, const examination& made)
      : client_(client), facts_(facts), made_(made) {
    told_.name = client.name;
    told_.title = client.title;
  }

  client_outlook go() {
    bool arrived = network() && entry() && resource() && server() && registration() && browser();
    if (told_.gets_through) return told_;
    if (doubt_.code) {
      told_.stops_at = doubt_.stops_at;
      told_.code = doubt_.code;
      told_.why = doubt_.why;
    } else if (arrived) {
      told_.gets_through = true;
    }
    return told_;
  }

 private:
  bool stop(std::string step, std::optional<errc> code, std::string why = {}) {
    told_.gets_through = false;
    told_.stops_at = std::move(step);
    told_.code = code;
    told_.why = std::move(why);
    return false;
  }
  // Nobody has said what it does then.
  bool doubt(std::string step, std::optional<errc> code, std::string why) {
    if (doubt_.code) return true;
    doubt_.stops_at = std::move(step);
    doubt_.code = code;
    doubt_.why = std::move(why);
    return true;
  }
  bool depends(known does, const std::string& step, errc code, const std::string& why) {
    if (does == known::yes) return true;
    return does == known::no ? stop(step, code) : doubt(step, code, why);
  }

  const doctor_finding* failed(std::string_view prefix) const {
    auto found = std::find_if(made_.findings.begin(), made_.findings.end(), [&](const doctor_finding& one) {
      return one.level == severity::failure && one.check.starts_with(prefix);
    });
    return found == made_.findings.end() ? nullptr : &*found;
  }
  const doctor_finding* with_code(errc code) const {
    auto found = std::find_if(made_.findings.begin(), made_.findings.end(),
                              [&](const doctor_finding& one) { return one.code == code; });
    return found == made_.findings.end() ? nullptr : &*found;
  }

  bool network() {
    for (const char* phase : {"network", "tls", "http"}) {
      if (const auto* one = failed(std::string(phase) + ".")) return stop(phase, one->code);
    }
    if (facts_.entry != nullptr && facts_.entry->status() == 429) {
      doubt("http", errc::front_throttles, "too many requests");
      return false;
    }
    if (client_.hosted && is_inner_host(facts_.evidence.target.host))
      return stop("network", errc::address_of_one_network, "it runs elsewhere and cannot come here");
    if (with_code(errc::transport_outdated) != nullptr)
      return depends(client_.old_transport, "transport", errc::transport_outdated,
                     "whether it knows HTTP with SSE");
    return true;
  }

  bool entry() {
    if (with_code(errc::server_open) != nullptr) {
      told_.gets_through = true;
      told_.why = "no sign-in is asked for";
      return true;
    }
    if (!facts_.asks_for_token()) {
      const auto* one = failed("token.asked");
      return stop("challenge", one != nullptr ? one->code : std::optional<errc>());
    }
    if (const auto* one = failed("challenge.form")) {
      // Who does not find the metadata by the challenge may find it by its well-known places.
      if (facts_.resource == nullptr) return stop("challenge", one->code);
      doubt("challenge", one->code, "whether it goes on without a challenge");
    }
    if (with_code(errc::challenge_metadata_relative) != nullptr)
      doubt("challenge", errc::challenge_metadata_relative, "whether it goes on without the address");
    return true;
  }

  const site_document* form(std::string_view end, bool root) const {
    for (const auto& one : facts_.resource_forms) {
      bool is_root = one.address.ends_with("/.well-known/oauth-protected-resource");
      if (one.address != facts_.demand.resource_metadata && is_root == root &&
          one.address.find(end) != std::string::npos)
        return &one;
    }
    return nullptr;
  }

  // The document that this client finds; null when none.
  const site_document* found_resource() {
    const auto& named = facts_.demand.resource_metadata;
    auto announced = std::find_if(facts_.resource_forms.begin(), facts_.resource_forms.end(),
                                  [&](const site_document& one) { return one.address == named; });
    if (announced != facts_.resource_forms.end() && client_.reads_challenge != known::no) {
      if (announced->good()) return &*announced;
      if (client_.goes_on == known::no) return nullptr;
      if (client_.goes_on == known::unknown)
        doubt("resource_metadata", errc::challenge_metadata_unreachable, "whether it looks elsewhere");
    }
    constexpr std::string_view word = "/.well-known/oauth-protected-resource";
    auto use = [&](const site_document* one, known does) {
      if (one == nullptr || !one->good() || does == known::no) return false;
      if (does == known::unknown)
        doubt("resource_metadata", errc::resource_metadata_form_absent, "whether it asks for this form");
      return true;
    };
    const auto* path = form(word, false);
    if (use(path, client_.path_form)) return path;
    const auto* root = form(word, true);
    if (use(root, client_.root_form)) return root;
    // The announced form may be one of the two.
    if (announced != facts_.resource_forms.end() && announced->good()) return &*announced;
    return nullptr;
  }

  bool resource() {
    if (told_.gets_through) return true;
    const auto* found = found_resource();
    if (found == nullptr) {
      const auto* server = facts_.first_server();
      auto code = with_code(errc::challenge_metadata_unreachable) != nullptr
                      ? errc::challenge_metadata_unreachable
                  : with_code(errc::resource_metadata_unusable) != nullptr ? errc::resource_metadata_unusable
                                                                           : errc::resource_metadata_absent;
      if (server == nullptr || !server->of_origin) return stop("resource_metadata", code);
      return depends(client_.without_resource, "resource_metadata", code, "whether it goes on without it");
    }
    if (const auto* one = failed("resource.scopes")) return stop("resource_metadata", one->code);
    return identity();
  }

  bool identity() {
    bool differs = with_code(errc::resource_differs) != nullptr,
         near = with_code(errc::resource_near_miss) != nullptr;
    if (differs) {
      if (client_.resource == resource_rule::unknown)
        return doubt("resource", errc::resource_differs, "whether it compares");
      return stop("resource", errc::resource_differs);
    }
    if (!near || client_.resource == resource_rule::above) return true;
    auto seen = url::parse(facts_.resource_name);
    bool root = seen && (seen->path.empty() || seen->path == "/");
    if (root && client_.resource == resource_rule::exact_or_root) return true;
    if (client_.resource == resource_rule::unknown)
      return doubt("resource", errc::resource_near_miss, "how it compares");
    auto mended = url::parse(facts_.resource_name);
    bool same = mended && mended->origin() == facts_.evidence.target.origin() &&
                mended->path == facts_.evidence.target.path;
    return same ? true : stop("resource", errc::resource_near_miss);
  }

  bool server() {
    if (told_.gets_through) return true;
    if (const auto* one = failed("resource.servers")) return stop("authorization_server", one->code);
    const auto* server = facts_.first_server();
    if (server == nullptr) {
      const auto* one = failed("server.published");
      return stop("authorization_server", one != nullptr ? one->code : errc::server_metadata_absent);
    }
    bool openid = server->best->address.find("openid-configuration") != std::string::npos;
    if (openid && !depends(client_.openid_forms, "authorization_server", errc::server_metadata_absent,
                           "whether it reads OpenID metadata"))
      return false;
    if (failed("server.issuer") != nullptr) {
      if (client_.compares_issuer == known::yes)
        return stop("authorization_server", errc::server_issuer_differs);
      if (client_.compares_issuer == known::unknown)
        doubt("authorization_server", errc::server_issuer_differs, "whether it compares the issuer");
    }
    if (const auto* one = failed("server.endpoints")) return stop("authorization_server", one->code);
    if (const auto* one = failed("server.methods")) return stop("authorization_server", one->code);
    return pkce(*server);
  }

  bool pkce(const site_server& server) {
    if (failed("server.pkce") == nullptr) return true;
    if (server.object.contains("code_challenge_methods_supported"))
      return stop("pkce", errc::server_pkce_absent);
    if (client_.s256_announced == known::yes) return stop("pkce", errc::server_pkce_absent);
    if (client_.s256_announced == known::no) return true;
    return doubt("pkce", errc::server_pkce_absent, "whether it goes on without it");
  }

  bool registration() {
    if (told_.gets_through) return true;
    const auto* server = facts_.first_server();
    if (server == nullptr) return true;
    bool documents = false;
    read(server->object, "client_id_metadata_document_supported", documents);
    if (documents && client_.documents == known::yes) return true;
    bool open = !text_member(server->object, "registration_endpoint").empty() &&
                with_code(errc::server_registration_closed) == nullptr &&
                failed("server.registration") == nullptr;
    if (open && client_.registers == known::yes) return true;
    if (documents && client_.documents == known::unknown)
      return doubt("registration", errc::server_registration_absent, "whether it has a client id document");
    auto code = with_code(errc::server_registration_closed) != nullptr ? errc::server_registration_closed
                                                                       : errc::server_registration_absent;
    return stop("registration", code,
                client_.fixed == known::yes ? "unless a client id is entered in it by hand" : "");
  }

  bool browser() {
    if (told_.gets_through || !client_.browser) return true;
    for (auto code : {errc::cors_preflight_refused, errc::cors_origin_refused, errc::cors_headers_refused,
                      errc::cors_headers_unexposed}) {
      if (with_code(code) != nullptr)
        return stop("cors", code, "directly; its proxy and its command line get through");
    }
    return true;
  }

  const client_manners& client_;
  const site_facts& facts_;
  const examination& made_;
  client_outlook told_;
  client_outlook doubt_;
};

}  // namespace

std::span<const client_manners> known_clients() {
  static const std::array all = {claude(), claude_code(), chatgpt(), vscode(),
                                 cursor(), inspector(),   codex(),   bridge()};
  return all;
}

const client_manners* find_client(std::string_view name) {
  auto all = known_clients();
  auto found =
      std::find_if(all.begin(), all.end(), [&](const client_manners& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

client_outlook outlook_of(const client_manners& client, const site_facts& facts, const examination& made) {
  return walk(client, facts, made).go();
}

std::vector<client_outlook> outlooks(const site_evidence& evidence, const examination& made,
                                     std::string_view only) {
  auto facts = read_site(evidence);
  std::vector<client_outlook> all;
  for (const auto& client : known_clients()) {
    if (only.empty() || client.name == only) all.push_back(outlook_of(client, facts, made));
  }
  return all;
}

}  // namespace mcp_oauth
