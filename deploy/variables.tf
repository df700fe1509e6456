variable "project" {
  description = "The id of the Google Cloud project that everything is created in."
  type        = string
}

variable "refresh_project" {
  description = "The name of the flow, its deployments and its work pools in Prefect: what `python -m warehouse_refresh.pipeline.contract` prints in the project's folder."
  type        = string
  default     = "warehouse-refresh"
}

variable "region" {
  description = "Where the API, the worker and the jobs run."
  type        = string
  default     = "europe-west1"
}

variable "location" {
  description = "Where BigQuery keeps all datasets: a region or a multi-region. It cannot be changed later."
  type        = string
  default     = "EU"
}

variable "datasets" {
  description = "The datasets that refreshes fill: one for each folder under res/ but raw."
  type        = set(string)
  default     = ["tmp", "final"]

  validation {
    condition     = length(setintersection(var.datasets, ["raw", "_warehouse", "_warehouse_staged"])) == 0
    error_message = "raw, _warehouse and _warehouse_staged are always created, and are not filled by scripts."
  }
}

variable "viewers" {
  description = "Who may read all datasets and query them, such as \"user:somebody@example.com\" or \"group:analysts@example.com\"."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for viewer in var.viewers : can(regex("^(user|group|serviceAccount|domain):[^@:\\s]+(@[^@:\\s]+)?$", viewer)) && !endswith(viewer, "example.com")])
    error_message = "Write accounts that exist, with what they are: \"user:somebody@your.company\" or \"group:analysts@your.company\". Google refuses others in the middle of the apply."
  }
}

variable "image" {
  description = "The image that API, worker and jobs run. Empty for the first apply, which creates the place to push it to."
  type        = string
  default     = ""
}

variable "public" {
  description = "Whether everybody may call the API. If not, callers need the role roles/run.invoker. Public without require_token means: anybody can append rows to raw and keep refreshes running, at your cost."
  type        = bool
  default     = true
}

variable "require_token" {
  description = "The one setting that closes a public API: whether its POSTs need the token that is the latest version of the secret api-token (it becomes API_TOKEN). Add a version first, as README.md says."
  type        = bool
  default     = false
}

variable "prefect_api_url" {
  description = "Prefect's API: of Prefect Cloud, or of a server of your own that Cloud Run can reach."
  type        = string
  default     = ""

  validation {
    condition     = var.prefect_api_url == "" || can(regex("^https?://.+/api", var.prefect_api_url))
    error_message = "Write the address of Prefect's API, such as https://api.prefect.cloud/api/accounts/…/workspaces/…"
  }
}

variable "prefect_auth" {
  description = "How Prefect's API is asked: \"key\" (Prefect Cloud), \"string\" (a server with an auth string), \"none\". The key or string is the latest version of the secret prefect-auth."
  type        = string
  default     = "key"

  validation {
    condition     = contains(["key", "string", "none"], var.prefect_auth)
    error_message = "Write key, string or none."
  }
}
