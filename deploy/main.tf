locals {
  warehouse_url = "bigquery://${var.project}?location=${var.location}"
  deployed      = var.image == "" ? 0 : 1

  # What Prefect's client reads the key or the auth string from.
  prefect_auth_variable = { key = "PREFECT_API_KEY", string = "PREFECT_API_AUTH_STRING" }
  prefect_auth          = var.prefect_auth == "none" ? {} : { (local.prefect_auth_variable[var.prefect_auth]) = "prefect-auth" }
}

resource "google_project_service" "needed" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ])
  service            = each.value
  disable_on_destroy = false
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "warehouse-refresh"
  location      = var.region
  format        = "DOCKER"
  description   = "The image of the warehouse refresh"
  depends_on    = [google_project_service.needed]

  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-the-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }
}
