// rooms: config
// A policy that somebody else gives: it is read or refused, and what is read denies what it does not name.
#include "config/policy_document.h"
#include "policy/doubts.h"
#include "policy/hierarchy.h"
#include "policy/policy.h"
#include "require.h"

namespace {

using namespace mcp_oauth;

envelope call_of(std::string_view name) {
  envelope message;
  message.kind = envelope::kind::request;
  message.complete = message.has_name = true;
  message.method = "tools/call";
  message.name = name;
  return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto document = read_policy_document(text_of(data, size));
  auto of_json = read_policy_json(text_of(data, size));
  require(of_json.has_value() ||
          (of_json.error().code == errc::policy_document_invalid && !of_json.error().detail.empty()));
  if (!document) {
    require(document.error().code == errc::policy_document_invalid && !document.error().detail.empty());
    return 0;
  }
  const auto& rules = document->rules;
  require(rules.tools.given || !document->complete);
  require(circle_in(rules.hierarchy).empty());
  for (const auto& doubt : doubts_about(rules, "tools", "")) require(!doubt.empty());

  policy made(rules_for(*document, {}, {}));
  caller nobody{"nobody", "client", {}};
  constexpr std::string_view unnamed = "a name that no document has";
  bool star = false;
  for (const auto& rule : rules.tools.rules) star = star || rule.pattern.find('*') != std::string::npos;
  if (!star) require(!authorize(made, nobody, call_of(unnamed)));
  for (const auto& rule : rules.tools.rules) {
    auto body = call_of(rule.pattern);
    auto judged = authorize(made, nobody, body);
    require(judged.has_value() || judged.error().code != errc::internal);
    // What is listed for somebody may be called by them, arguments aside; what is not listed may not.
    if (judged) require(may_list(made, nobody, listed::tool, rule.pattern));
    if (!may_list(made, nobody, listed::tool, rule.pattern)) require(!judged);
  }
  return 0;
}
