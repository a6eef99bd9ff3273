#include "library/denials.h"

#include "library/parts.h"
#include "library/safely.h"
#include "symptom/catalogue.h"

MCP_OAUTH_BEGIN
namespace {

// There whatever becomes of memory.
const std::shared_ptr<const denial::parts> internal = std::make_shared<const denial::parts>();

}  // namespace

denial deny(errc code, std::string detail, std::vector<std::string> scopes) noexcept {
  return safely(
      [&] {
        return denial(
            std::make_shared<const denial::parts>(denial::parts{code, std::move(detail), std::move(scopes)}));
      },
      [] { return denial(internal); });
}

int denial::status() const noexcept {
  int status = explain(parts_->code).status;
  return status == 0 ? 500 : status;
}
std::string_view denial::error() const noexcept { return explain(parts_->code).oauth_error; }
std::string_view denial::description() const noexcept { return explain(parts_->code).description; }
std::string_view denial::symptom() const noexcept { return explain(parts_->code).id; }
std::string_view denial::reason() const noexcept { return explain(parts_->code).name; }
std::string_view denial::detail() const noexcept { return parts_->detail; }
const std::vector<std::string>& denial::required_scopes() const noexcept { return parts_->scopes; }

MCP_OAUTH_END
