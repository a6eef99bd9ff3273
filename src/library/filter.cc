#include "library/filter.h"

#include "base/text.h"
#include "library/denials.h"
#include "library/safely.h"
#include "mcp/list_filter.h"

#include <algorithm>
#include <array>
#include <variant>

MCP_OAUTH_BEGIN
namespace {

constexpr std::size_t most_item_bytes = 1024 * 1024;
constexpr std::array lists = {std::string_view("tools/list"),
                              std::string_view("resources/list"),
                              std::string_view("resources/templates/list"),
                              std::string_view("prompts/list"),
                              std::string_view("batch"),
                              std::string_view("stream")};

bool is_type(std::string_view content_type, std::string_view wanted) {
  return equal_ignoring_case(trim(content_type.substr(0, content_type.find(';'))), wanted);
}

}  // namespace

struct MCP_OAUTH_LOCAL answer_filter::parts {
  parts(std::shared_ptr<engine> of, const rules_now& by, const user& caller)
      : g(std::move(of)), rules(by), who(caller) {
    keep = [this](listed what, std::string_view name) {
      return may_list(*rules, caller_of(verdict_of(who)), what, name);
    };
  }
  std::optional<denial> failed(const error& why) {
    broken = deny(why);
    const std::array fields = {log_field{"reason", broken->reason()}, log_field{"detail", broken->detail()}};
    g->log(level::warning, "the answer of the MCP server was held back", fields);
    return broken;
  }

  std::shared_ptr<engine> g;
  rules_now rules;
  user who;
  keep_listed keep;
  std::variant<std::monostate, list_filter, event_list_filter> with;  // nothing: all of it may pass
  std::optional<denial> broken;
};

answer_filter::answer_filter(std::unique_ptr<parts> made) noexcept : parts_(std::move(made)) {}
answer_filter::answer_filter(answer_filter&&) noexcept = default;
answer_filter& answer_filter::operator=(answer_filter&&) noexcept = default;
answer_filter::~answer_filter() = default;

std::optional<denial> answer_filter::feed(std::string_view piece, std::string& out) noexcept {
  return safely(
      [&]() -> std::optional<denial> {
        if (!parts_) return deny(errc::internal);
        if (parts_->broken) return parts_->broken;
        result<void> fed;
        if (auto* one = std::get_if<list_filter>(&parts_->with))
          fed = one->feed(piece, out);
        else if (auto* events = std::get_if<event_list_filter>(&parts_->with))
          fed = events->feed(piece, out);
        else
          out += piece;
        if (!fed) return parts_->failed(fed.error());
        return std::nullopt;
      },
      [&] { return std::optional<denial>(deny(errc::internal)); });
}

std::optional<denial> answer_filter::finish(std::string&) noexcept {
  return safely(
      [&]() -> std::optional<denial> {
        if (!parts_) return deny(errc::internal);
        if (parts_->broken) return parts_->broken;
        auto* one = std::get_if<list_filter>(&parts_->with);
        if (one != nullptr && !one->whole()) {
          return parts_->failed({errc::list_unreadable, "the answer ends within its JSON"});
        }
        return std::nullopt;
      },
      [&] { return std::optional<denial>(deny(errc::internal)); });
}

const accepted& verdict_of(const user& who) { return *static_cast<const accepted*>(who.inside()); }

caller caller_of(const accepted& verdict) {
  const auto& claims = verdict.token.claims();
  caller who;
  who.subject = claims.subject;
  who.client_id = claims.client_id;
  who.scopes = claims.scopes;
  who.claims.ours = &claims;
  if (verdict.token.details()) who.claims.theirs = &verdict.token.details()->claims;
  return who;
}

bool may_hold_lists(std::string_view method) {
  return std::find(lists.begin(), lists.end(), method) != lists.end();
}

answer_filter begin_filter(std::shared_ptr<engine> g, const rules_now& rules, const user& who,
                           std::string_view content_type, content what) {
  auto made = std::make_unique<answer_filter::parts>(std::move(g), rules, who);
  if (what == content::without_lists || !rules->filters_lists()) return answer_filter(std::move(made));
  bool events = is_type(content_type, "text/event-stream");
  if (events) {
    made->with.emplace<event_list_filter>(made->keep, most_item_bytes);
  } else if (is_type(content_type, "application/json")) {
    made->with.emplace<list_filter>(made->keep, most_item_bytes);
  } else if (what == content::lists) {
    made->failed({errc::list_unreadable,
                  "the answer to a list is " +
                      (content_type.empty() ? std::string("of no type") : std::string(content_type))});
  }
  return answer_filter(std::move(made));
}

MCP_OAUTH_END
